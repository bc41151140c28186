"""O painel só para ver: é `understudy run --read-only`, com as mesmas opções. Nada pode ser alterado por ele.

python web_dashboard.py --simulator --traffic 5
"""

import sys

from understudy.cli import main

if __name__ == "__main__":
    main(["run", "--read-only", *sys.argv[1:]])
