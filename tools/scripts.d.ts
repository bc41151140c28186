// What the scripts of the dashboard use and the compiler does not know: read by `make scripts` only, never shipped.

/** The chart library that a page loads beside our modules, as far as we use it. */
declare class uPlot {
  constructor(options: object, data: (number | null)[][], place: Element);
  static rangeNum(low: number, high: number, part: number, soft: boolean): [number | null, number | null];
  static paths: { bars?: (options: { size: [number, number]; gap: number }) => unknown };
  readonly over: HTMLElement;
  readonly width: number;
  readonly height: number;
  readonly data: (number | null)[][];
  readonly cursor: { idx?: number | null };
  readonly scales: Record<string, { min?: number; max?: number }>;
  destroy(): void;
  redraw(paths?: boolean, axes?: boolean): void;
  setCursor(place: { left: number; top: number }): void;
  setData(data: (number | null)[][], scales?: boolean): void;
  setScale(key: string, range: { min: number; max: number }): void;
  setSeries(place: number, options: { show: boolean }): void;
  setSize(size: { width: number; height: number }): void;
  valToPos(value: number, scale: string, canvas?: boolean): number;
}

// Of ECMAScript 2023; Debian's compiler knows the language up to 2022.
interface Array<T> {
  findLast(wanted: (value: T, place: number) => boolean): T | undefined;
  findLastIndex(wanted: (value: T, place: number) => boolean): number;
}
