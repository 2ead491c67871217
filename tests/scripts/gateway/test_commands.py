from pathlib import Path

from scripts.gateway.commands import link_keys


def test_keys_of_a_secret_of_kubernetes_are_followed_when_they_are_exchanged(
    tmp_path: Path,
) -> None:
    secret, link = tmp_path / "secret", tmp_path / "gateway" / "keys"
    for name in ("..before", "..after"):
        (secret / name).mkdir(parents=True)
        (secret / name / "keys").write_text(name)
    (secret / "..data").symlink_to("..before")
    (secret / "keys").symlink_to("..data/keys")

    for _ in range(2):  # a container is started again on the same volume
        link_keys(link, secret / "keys")
    before = link.read_text()
    # As kubelet does it: a new link is put in the place of the old one.
    (secret / "..data_tmp").symlink_to("..after")
    (secret / "..data_tmp").rename(secret / "..data")
    (secret / "..before" / "keys").unlink()

    assert (before, link.read_text()) == ("..before", "..after")
