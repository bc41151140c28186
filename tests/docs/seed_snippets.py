"""Programs that a user of the original document would write, each with what it has to print.

They run as files beside `examples/rapidapi_producao/`, each in an interpreter and a folder of its own. Nothing
but the names of section 3 is used, in the ways in which the document uses them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field

#: The `.env` of somebody who filled in Discord and Telegram and left the rest as it stands in the template.
HALF_FILLED = """
ENVIRONMENT=prod
LOG_LEVEL=INFO
SMTP_SERVER=smtp.gmail.com
SMTP_PORT=587
SMTP_USERNAME=seu_email@gmail.com
SMTP_PASSWORD=sua_senha_app
FROM_EMAIL=alertas@empresa.com
SLACK_WEBHOOK_URL=https://hooks.slack.com/services/...
DISCORD_WEBHOOK_URL="https://discord.com/api/webhooks/1/abc"
TELEGRAM_BOT_TOKEN=110201543:um-token-de-verdade
TELEGRAM_CHAT_ID=-1001, 42
DASHBOARD_PORT=8080
DASHBOARD_SECRET_KEY=sua_chave_secreta
"""


@dataclass(frozen=True, slots=True)
class Snippet:
    """A program and its output; `env` and `dotenv` are what it finds around itself."""

    name: str
    code: str
    prints: str
    env: Mapping[str, str] = field(default_factory=dict)
    dotenv: str = ""

    @property
    def lines(self) -> list[str]:
        return textwrap.dedent(self.prints).strip().splitlines()

    @property
    def program(self) -> str:
        return textwrap.dedent(self.code).lstrip()


CONFIGURATION = [
    Snippet(
        "configuracao_sem_nada",
        """
        from production_config import load_production_config

        config = load_production_config()
        print(config.environment, config.get_notification_channels(), list(config.warnings))
        print(config.dashboard_port, config.log_format)
        print(config.alert_success_rate_threshold, config.alert_response_time_threshold)
        print(config.alert_error_rate_threshold)
        """,
        """
        development [] []
        8080 text
        80.0 2.0
        20.0
        """,
    ),
    Snippet(
        "configuracao_do_arquivo_env",
        """
        from production_config import load_production_config

        config = load_production_config()
        print(f"Ambiente: {config.environment}")
        print(f"Canais: {', '.join(config.get_notification_channels())}")
        for aviso in config.warnings:
            print(aviso)
        """,
        """
        Ambiente: production
        Canais: discord, telegram
        DASHBOARD_SECRET_KEY is not configured: it is a placeholder
        channel email is not configured: SMTP_USERNAME is a placeholder, SMTP_PASSWORD is a placeholder
        channel slack is not configured: SLACK_WEBHOOK_URL is a placeholder
        """,
        dotenv=HALF_FILLED,
    ),
    Snippet(
        "o_ambiente_vence_o_arquivo",
        """
        from production_config import load_production_config

        config = load_production_config()
        print(config.environment, config.dashboard_port, config.alert_error_rate_threshold)
        """,
        "staging 9090 12.5",
        env={"ENVIRONMENT": "staging", "ALERT_ERROR_RATE_THRESHOLD": "12.5"},
        dotenv="ENVIRONMENT=production\nDASHBOARD_PORT=9090\n",
    ),
    *(
        Snippet(
            f"forma_curta_{short}",
            """
            from production_config import ProductionConfig, load_production_config

            print(load_production_config().environment, ProductionConfig("{short}").environment)
            """.replace("{short}", short),
            f"{full} {full}",
            env={"ENVIRONMENT": short},
        )
        for short, full in (("dev", "development"), ("prod", "production"), ("Production", "production"))
    ),
    Snippet(
        "configuracao_montada_a_mao",
        """
        from production_config import ProductionConfig

        config = ProductionConfig(log_format="json", environment="production", dashboard_port=9000)
        print(config.log_format, config.environment, config.dashboard_port)
        """,
        "json production 9000",
        env={"LOG_FORMAT": "text", "DASHBOARD_PORT": "8081"},
    ),
    Snippet(
        "logs_json_em_arquivo",
        """
        import json
        import logging

        from production_config import load_production_config

        load_production_config().configure_logging()
        logging.getLogger("minha.aplicacao").warning("cota em %d%%", 90)
        with open("logs/rapidapi.log", encoding="utf-8") as arquivo:
            linha = json.loads(arquivo.read())
        print(linha["log.level"], linha["log.logger"], linha["message"])
        """,
        "warning minha.aplicacao cota em 90%",
        env={"LOG_FORMAT": "json", "LOG_FILE": "logs/rapidapi.log", "LOG_LEVEL": "warning"},
    ),
    Snippet(
        "erros_de_configuracao_de_uma_vez",
        """
        from production_config import load_production_config

        try:
            load_production_config()
        except ValueError as erro:
            for falha in sorted(str(erro).splitlines()):
                print(falha)
        """,
        """
        env:ALERT_SUCCESS_RATE_THRESHOLD: alerts.success_rate: expected at most 100, found 180.0
        env:DASHBOARD_PORT: service.port: expected a whole number, found 'oitenta'
        """,
        env={"DASHBOARD_PORT": "oitenta", "ALERT_SUCCESS_RATE_THRESHOLD": "180"},
    ),
    Snippet(
        "todos_os_canais",
        """
        from production_config import load_production_config

        config = load_production_config()
        print(config.get_notification_channels())
        print(config.settings.channels["email"].to_emails, config.settings.channels["telegram"].chat_id)
        print("segredo123" in repr(config.settings), list(config.warnings))
        """,
        """
        ['email', 'slack', 'discord', 'telegram']
        ('ana@empresa.com', 'rui@empresa.com') ('1', '2')
        False []
        """,
        env={
            "SMTP_SERVER": "smtp.empresa.com",
            "SMTP_USERNAME": "robo@empresa.com",
            "SMTP_PASSWORD": "segredo123",
            "TO_EMAILS": "ana@empresa.com, rui@empresa.com",
            "SLACK_WEBHOOK_URL": "https://hooks.slack.test/services/segredo123",
            "DISCORD_WEBHOOK_URL": "https://discord.com/api/webhooks/1/segredo123",
            "TELEGRAM_BOT_TOKEN": "1:segredo123",
            "TELEGRAM_CHAT_ID": "1,2",
        },
    ),
]

MONITOR = [
    Snippet(
        "resumo_sem_amostras",
        """
        from performance_monitor import get_performance_monitor

        resumo = get_performance_monitor().get_performance_summary()
        print(f"Taxa de sucesso geral: {resumo['overall_success_rate']:.1f}%")
        print(resumo["total_requests"], resumo["apis"])
        """,
        """
        Taxa de sucesso geral: nan%
        0 {}
        """,
    ),
    Snippet(
        "registros_sem_loop",
        """
        from performance_monitor import get_performance_monitor

        monitor = get_performance_monitor()
        for tempo in (0.1, 0.2, 0.3):
            monitor.record_request_start("api_futebol")
            monitor.record_request_success("api_futebol", tempo)
        monitor.record_request_start("api_futebol")
        monitor.record_request_failure("api_futebol", "Timeout")

        resumo = monitor.get_performance_summary()
        print(f"{resumo['overall_success_rate']:.1f}%")
        api = resumo["apis"]["api_futebol"]
        print(api["total_requests"], f"{api['success_rate']:.1f}", f"{api['error_rate']:.1f}")
        print(f"{api['avg_response_time']:.2f}", f"{api['requests_per_minute']:.0f}", api["last_error"]["message"])
        """,
        """
        75.0%
        4 75.0 25.0
        0.20 4 Timeout
        """,
    ),
    Snippet(
        "registros_por_nome_dos_parametros",
        """
        from performance_monitor import get_performance_monitor

        monitor = get_performance_monitor()
        monitor.record_request_start(name="a")
        monitor.record_request_success(name="a", response_time=1.5)
        monitor.record_request_failure(name="a", error=ConnectionError("recusada"))
        print(get_performance_monitor() is monitor, monitor.get_performance_summary()["apis"]["a"]["success_rate"])
        """,
        "True 50.0",
    ),
    Snippet(
        "registros_dentro_do_loop_e_de_threads",
        """
        import asyncio
        import threading

        from performance_monitor import get_performance_monitor

        monitor = get_performance_monitor()


        def na_thread():
            for _ in range(500):
                monitor.record_request_start("api")
                monitor.record_request_success("api", 0.01)


        async def no_loop():
            for _ in range(500):
                monitor.record_request_start("api")
                monitor.record_request_failure("api", TimeoutError("sem resposta"))
                await asyncio.sleep(0)


        async def main():
            await asyncio.gather(no_loop(), *(asyncio.to_thread(na_thread) for _ in range(3)))


        sem_loop = threading.Thread(target=na_thread)
        sem_loop.start()
        asyncio.run(main())
        sem_loop.join()
        asyncio.run(no_loop())

        resumo = monitor.get_performance_summary()
        print(resumo["total_requests"], f"{resumo['overall_success_rate']:.1f}%")
        """,
        "3000 66.7%",
    ),
    Snippet(
        "historico_tendencias_e_comparacao",
        """
        from performance_monitor import get_performance_monitor

        monitor = get_performance_monitor()
        for _ in range(200):
            monitor.record_request_success("rapida", 0.1)
            monitor.record_request_success("lenta", 0.9)

        print(sum(ponto.total for ponto in monitor.history("rapida")))
        print(monitor.trend("rapida", "response_time").metric)
        print(monitor.compare(["lenta", "rapida"]).best)
        """,
        """
        200
        response_time
        rapida
        """,
    ),
]

REGISTER = """
from fallback_manager import get_fallback_manager

manager = get_fallback_manager()
manager.register_api("api_principal", priority=1)
manager.register_api("api_backup", priority=2)
"""

FALLBACK = [
    Snippet(
        "operacoes_de_todo_tipo",
        "import asyncio\n"
        + REGISTER
        + """

async def assincrona():
    return "assíncrona"


def comum():
    return "comum"


async def main():
    print(await manager.execute_with_fallback("api_principal", assincrona))
    print(await manager.execute_with_fallback("api_principal", comum))
    print(await manager.execute_with_fallback("api_principal", lambda: assincrona()))
    print(await manager.execute_with_fallback("api_principal", lambda: "lambda"))
    print(await manager.execute_with_fallback("api_principal", lambda: asyncio.sleep(0, "awaitable")))
    print(await manager.execute_with_fallback(name="outra", operation=comum, fallback_operation=None))


asyncio.run(main())
""",
        """
        assíncrona
        comum
        assíncrona
        lambda
        awaitable
        comum
        """,
    ),
    *(
        Snippet(
            f"fallback_{kind}",
            "import asyncio\n"
            + REGISTER
            + """

async def principal():
    raise ConnectionError("fora do ar")


async def reserva():
    return "da reserva"


def comum():
    return "da reserva"


async def main():
    print(await manager.execute_with_fallback("api_principal", principal, FALLBACK))
    apis = manager.describe()["apis"]
    print([nome for nome in apis])


asyncio.run(main())
""".replace("FALLBACK", fallback),
            """
            da reserva
            ['api_principal', 'api_backup']
            """,
        )
        for kind, fallback in (("async", "reserva"), ("comum", "comum"), ("lambda", "lambda: reserva()"))
    ),
    Snippet(
        "o_fallback_e_contado_na_api_backup",
        "import asyncio\n"
        + REGISTER
        + """
from performance_monitor import get_performance_monitor


async def principal():
    raise ConnectionError("fora do ar")


async def reserva():
    return 1


async def main():
    for _ in range(10):
        await manager.execute_with_fallback("api_principal", principal, reserva)
    await manager.execute_with_fallback("sozinha", principal, reserva)


asyncio.run(main())
apis = get_performance_monitor().get_performance_summary()["apis"]
print({nome: f"{api['success_rate']:.1f}%" for nome, api in apis.items()})
print(apis["api_backup"]["successful_requests"])
""",
        """
        {'api_principal': '0.0%', 'api_backup': '100.0%', 'sozinha': '0.0%'}
        11
        """,
    ),
    Snippet(
        "sem_api_livre_o_fallback_tem_nome_proprio",
        """
        import asyncio

        from fallback_manager import get_fallback_manager


        async def principal():
            raise ConnectionError("fora do ar")


        async def main():
            manager = get_fallback_manager()
            manager.register_api("api_principal", priority=1)
            manager.register_api("de_outra_rota", priority=2, route="outra", operation=lambda: "errado")
            manager.register_api("com_operacao", priority=3, operation=lambda: "errado")
            resultado = await manager.call("api_principal", principal, lambda: "certo")
            print(resultado.value, resultado.api)


        asyncio.run(main())
        """,
        "certo api_principal.fallback",
    ),
    Snippet(
        "disjuntor_aberto_usa_o_fallback_na_hora",
        "import asyncio\n"
        + REGISTER
        + """
chamadas = 0


async def principal():
    global chamadas
    chamadas += 1
    raise ConnectionError("fora do ar")


async def reserva():
    return "reserva"


async def main():
    servidas = [await manager.execute_with_fallback("api_principal", principal, reserva) for _ in range(50)]
    print(set(servidas), chamadas)


asyncio.run(main())
""",
        "{'reserva'} 3",
    ),
    Snippet(
        "operacao_no_registro_com_a_rota_da_titular",
        """
        import asyncio

        from fallback_manager import get_fallback_manager


        async def principal():
            raise ConnectionError("fora do ar")


        async def main():
            manager = get_fallback_manager()
            manager.register_api("api_principal", priority=1, route="odds")
            manager.register_api("api_backup", priority=2, route="odds", operation=lambda: "da rota")
            manager.register_api("intrusa", priority=1, route="placares", operation=lambda: "de outra rota")
            manager.register_api("avulsa", priority=1, operation=lambda: "avulsa")
            print(await manager.execute_with_fallback("api_principal", principal))
            print(await manager.execute_with_fallback("avulsa", None))


        asyncio.run(main())
        """,
        """
        da rota
        avulsa
        """,
    ),
    Snippet(
        "sem_rota_um_registro_nao_oferece_nada_por_si",
        """
        import asyncio

        from fallback_manager import get_fallback_manager


        async def principal():
            raise ConnectionError("fora do ar")


        async def main():
            manager = get_fallback_manager()
            manager.register_api("api_principal", priority=1)
            manager.register_api("api_backup", priority=2)
            manager.register_api("com_operacao", priority=2, operation=lambda: "nunca")
            try:
                await manager.execute_with_fallback("api_principal", principal)
            except ConnectionError as erro:  # a exceção da própria operação, como era
                print(erro)


        asyncio.run(main())
        """,
        "fora do ar",
    ),
    Snippet(
        "o_erro_conta_o_que_cada_uma_disse",
        "import asyncio\n"
        + REGISTER
        + """
from fallback_manager import AllApisFailed


async def principal():
    raise ConnectionError("a principal recusou")


def reserva():
    raise ValueError("a reserva respondeu lixo")


async def main():
    try:
        await manager.execute_with_fallback("api_principal", principal, reserva)
    except AllApisFailed as erro:
        for parte in str(erro).split("; "):
            print(parte)
        print(list(erro.causes))


asyncio.run(main())
""",
        """
        api_principal: every API failed: api_principal: ConnectionError: a principal recusou
        api_backup: ValueError: a reserva respondeu lixo
        ['api_principal', 'api_backup']
        """,
    ),
    Snippet(
        "uma_falha_passageira_e_repetida_com_espera",
        """
        import asyncio
        import time

        from fallback_manager import get_fallback_manager

        momentos = []


        async def instavel():
            momentos.append(time.monotonic())
            if len(momentos) < 2:
                raise ConnectionError("passageira")
            return "na segunda"


        async def main():
            print(await get_fallback_manager().execute_with_fallback("api", instavel))
            print(len(momentos), momentos[1] - momentos[0] < 5)


        asyncio.run(main())
        """,
        """
        na segunda
        2 True
        """,
    ),
    Snippet(
        "dois_asyncio_run_e_uma_thread_com_loop_proprio",
        "import asyncio\nimport threading\n"
        + REGISTER
        + """

async def principal():
    return "ok"


def uma_vez():
    print(asyncio.run(manager.execute_with_fallback("api_principal", principal)))


uma_vez()
uma_vez()
thread = threading.Thread(target=uma_vez)
thread.start()
thread.join()
print(get_fallback_manager() is manager)
""",
        """
        ok
        ok
        ok
        True
        """,
    ),
]

SNIPPETS = [*CONFIGURATION, *MONITOR, *FALLBACK]
