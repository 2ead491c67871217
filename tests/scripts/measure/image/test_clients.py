from scripts.measure.image.clients import Exchange, GatewayClients


def test_in_flight_is_what_began_before_and_ended_after() -> None:
    clients = GatewayClients("http://localhost", "key", b"", 1)
    clients.exchanges += [
        Exchange(1, 2, "200"),
        Exchange(2, 4, "200"),
        Exchange(2.5, 9, "ConnectionError"),
        Exchange(3.5, 5, "503"),
    ]

    assert clients.in_flight(3) == {"200": 1, "ConnectionError": 1}
