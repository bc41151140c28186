"""A instalação por perguntas: é `understudy setup`, com as mesmas opções; o item 7 é "Testar Conectividade".

python setup_producao.py
python setup_producao.py --template     # só grava .env.template
"""

import sys

from understudy.cli import main

if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(["setup", *([] if any(each.startswith("--lang") for each in arguments) else ["--lang", "pt"]), *arguments])
