import fonds


def test_version_is_the_distribution_version() -> None:
    from importlib.metadata import version

    assert fonds.__version__ == version("fonds")
