"""Programs of the original document's user about notifications and alerts; see `seed_snippets`.

Slack and Telegram are local servers that are as strict as the services.
"""

from __future__ import annotations

from seed_snippets import Snippet

NOTIFICATIONS = [
    Snippet(
        "canais_configurados_sem_event_loop",
        """
        from notification_system import (
            get_notification_manager,
            setup_discord_notifications,
            setup_email_notifications,
            setup_slack_notifications,
            setup_telegram_notifications,
        )

        setup_email_notifications(
            smtp_server="smtp.example.com",
            smtp_port=587,
            username="alertas@example.com",
            password="nao-e-uma-senha",
            from_email="alertas@example.com",
            to_emails=["plantao@example.com"],
        )
        setup_slack_notifications(webhook_url="https://hooks.slack.com/services/T000/B000/nenhum")
        setup_discord_notifications(webhook_url="https://discord.com/api/webhooks/1/nenhum")
        setup_telegram_notifications(bot_token="123456:" + "a" * 35, chat_id="-100123")
        for nome, canal in sorted(get_notification_manager().channels().items()):
            print(nome, canal.kind)
        """,
        """
        discord discord
        email email
        slack slack
        telegram telegram
        """,
    ),
    Snippet(
        "uma_mensagem_com_o_resultado_de_cada_canal_em_dois_asyncio_run",
        """
        import asyncio

        from notification_system import (
            NotificationMessage,
            get_notification_manager,
            setup_discord_notifications,
            setup_slack_notifications,
        )
        from understudy.testing.receivers import DiscordReceiver, SlackReceiver


        async def avisar(titulo):
            async with SlackReceiver() as slack, DiscordReceiver() as discord:
                setup_slack_notifications(webhook_url=slack.url, allow_private=True)
                setup_discord_notifications(webhook_url=discord.url, allow_private=True)
                mensagem = NotificationMessage(title=titulo, content="Tudo no ar", severity="info")
                resultado = await get_notification_manager().send_notification(mensagem)
                for canal, entrega in sorted(resultado.items()):
                    print(canal, entrega.success)
                print(titulo in slack.accepted[0].shown)


        asyncio.run(avisar("Primeiro aviso"))
        asyncio.run(avisar("Segundo aviso"))
        """,
        """
        discord True
        slack True
        True
        discord True
        slack True
        True
        """,
    ),
    Snippet(
        "um_canal_que_nao_existe_e_uma_gravidade_que_nao_ha",
        """
        import asyncio

        from notification_system import NotificationMessage, get_notification_manager

        mensagem = NotificationMessage("Sem canal", "ninguém ouve", "warning", channels=["pombo"])
        resultado = asyncio.run(get_notification_manager().send_notification(mensagem))
        print(resultado["pombo"].success, resultado["pombo"].reason)
        try:
            NotificationMessage(title="x", content="y", severity="gravíssima")
        except ValueError as erro:
            print(erro)
        """,
        """
        False no such channel
        severity: expected one of info, warning, critical, found 'gravíssima'
        """,
    ),
]

ALERTS = [
    Snippet(
        "uma_regra_propria_dispara_e_o_callback_ouve",
        """
        import asyncio

        from alert_system import add_custom_alert_rule, get_alert_manager
        from performance_monitor import get_performance_monitor

        ouvidos = asyncio.Queue()


        async def main():
            alertas = get_alert_manager()
            alertas.add_callback(ouvidos.put, name="plantao")
            regra = await add_custom_alert_rule(
                name="muitos_erros",
                metric="error_rate",
                threshold=50.0,
                operator=">",
                severity="critical",
                description="Mais da metade falha",
                cooldown_seconds=300,
                escalation_threshold=3,
            )
            print(regra.name, regra.levels[0].threshold, regra.cooldown)
            monitor = get_performance_monitor()
            for _ in range(20):
                monitor.record_request_failure("api_futebol", "fora do ar")
            async with asyncio.timeout(20):
                while (aviso := await ouvidos.get()).rule != "muitos_erros":
                    pass
            print(aviso.kind, aviso.severity, aviso.labels["api"], aviso.value)
            print(sorted({alerta.rule for alerta in alertas.active()}))


        asyncio.run(main())
        """,
        """
        muitos_erros 50.0 300
        fired critical api_futebol 100.0
        ['error_rate', 'muitos_erros', 'success_rate']
        """,
    ),
    Snippet(
        "a_regra_como_metodo_e_o_que_nela_esta_errado",
        """
        import asyncio

        from alert_system import get_alert_manager


        async def main():
            alertas = get_alert_manager()
            for operador in (">", ">=", "<", "<=", "==", "!="):
                await alertas.add_custom_alert_rule(
                    name=f"volume {operador}", metric="requests_per_minute", threshold=10.0, operator=operador
                )
            print(len([regra for regra in alertas.rules.rules() if regra.name.startswith("volume")]))
            try:
                await alertas.add_custom_alert_rule(name="x", metric="sucess_rate", threshold=1.0, operator="~")
            except ValueError as erro:
                print("sucess_rate" in str(erro), "success_rate" in str(erro), "operator" in str(erro))


        asyncio.run(main())
        """,
        """
        6
        True True True
        """,
    ),
    Snippet(
        "os_seis_alertas_estao_la",
        """
        from alert_system import get_alert_manager

        for nome in ("success_rate", "response_time", "error_rate"):
            regra = get_alert_manager().rules.get(nome)
            print(nome, regra.operator, *((str(nivel.severity), nivel.threshold) for nivel in regra.levels))
        """,
        """
        success_rate < ('warning', 80.0) ('critical', 60.0)
        response_time > ('warning', 2.0) ('critical', 5.0)
        error_rate > ('warning', 20.0) ('critical', 40.0)
        """,
    ),
]
