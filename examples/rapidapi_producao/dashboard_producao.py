"""O serviço de produção: é `understudy run`, com as mesmas opções.

python dashboard_producao.py --simulator --traffic 5
"""

import sys

from understudy.cli import main

if __name__ == "__main__":
    main(["run", *sys.argv[1:]])
