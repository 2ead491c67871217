"""What cutting out at home saves, in figures."""

from u2net_cutout.client.traffic import Traffic


def test_what_is_saved_is_told() -> None:
    traffic = Traffic(1_000_000, 10_000, 3_000_000, 5_000_000) + Traffic(0, 0, 0, 500_000)

    assert str(traffic) == (
        "sent 1.00 MB instead of 3.00, received 0.01 MB instead of 5.50: 7.49 MB saved"
    )
