from u2net_cutout.cli.cutter import Traffic


def test_the_bytes_that_a_copy_saves_are_summed() -> None:
    traffic = Traffic(1_000_000, 10_000, 3_000_000, 5_000_000) + Traffic(0, 0, 0, 500_000)

    assert str(traffic) == (
        "sent 1.00 MB instead of 3.00, received 0.01 MB instead of 5.50: 7.49 MB saved"
    )
