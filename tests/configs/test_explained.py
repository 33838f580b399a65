"""A config with explanations: as a template, and with the origin of each value."""

import re
import tomllib

import pytest

from configs.explained import listed, template
from configs.schema import Config, Ingestion, Promotion, Runtime, Training

CONFIGS = [
    Config(ingestion=Ingestion(source="text.txt")),
    Config(
        name="x # y",
        ingestion=Ingestion(source=['a "b"\n.csv', "c\\d"], text_column="re\tview"),
        training=Training(epochs=3, batch_size="full", keep_epochs=2),
        promotion=Promotion(floors={"similarity/a b": 0.3, 'x"': 1}, gates=[]),
        runtime=Runtime(workspace="#"),
    ),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_both_are_the_config(config: Config) -> None:
    """Read again, each gives an equal config: no value is lost, also of sections that people rarely edit."""
    for text in (template(config, "made\nof ="), listed(config, {"seed": "a\nb"})):
        assert Config.model_validate(tomllib.loads(text)) == config


def test_every_default_of_the_template_can_be_switched_on() -> None:
    """Without the first `# `, each key that is commented out is valid, and is the default."""
    config = CONFIGS[0]
    text = re.sub(r"^# (?=\w+ = (?!not set))", "", template(config, ""), flags=re.MULTILINE)
    values = tomllib.loads(text)

    assert Config.model_validate(values) == config
    assert values["training"]["batch_size"] == 1024
    assert len(values["training"]) > 10


def test_each_value_has_its_origin() -> None:
    """What has no origin is a default, and what is not set is said to be so."""
    lines = listed(CONFIGS[0], {"ingestion.source": "my.toml", "training.epochs": "--set"}).splitlines()

    assert 'source = "text.txt"  # my.toml' in lines
    assert "epochs = 5  # --set" in lines
    assert "negatives = 5  # default" in lines
    assert "# max_size = not set  # default" in lines
