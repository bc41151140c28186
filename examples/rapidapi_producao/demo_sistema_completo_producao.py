"""O sistema inteiro em um terminal: é `understudy demo`, com as mesmas opções.

Termina com código 0 somente se cada parte fez o seu trabalho.
"""

import sys

from understudy.cli import main

if __name__ == "__main__":
    main(["demo", *sys.argv[1:]])
