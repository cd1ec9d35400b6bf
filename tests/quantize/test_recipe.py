"""Recipes say what they do, survive being written down, and refuse what they do not know."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxtoon.errors import InputError
from voxtoon_quantize.observers import OBSERVERS
from voxtoon_quantize.recipe import SCHEMES, TARGETS, Override, Recipe

PARTS = {"encoder": ["conv1", "conv2", "fc1"], "decoder": ["trunk_fc", "texture_up1"]}
OVERRIDES = st.builds(
    Override, st.sampled_from(["encoder", "encoder.fc1", "*.*_fc"]), st.sampled_from(sorted(SCHEMES))
)
RECIPES = st.builds(
    Recipe,
    scheme=st.sampled_from(sorted(SCHEMES)),
    overrides=st.lists(OVERRIDES, max_size=3, unique_by=lambda item: item.where).map(tuple),
    observer=st.sampled_from(sorted(OBSERVERS)),
    target=st.sampled_from(sorted(TARGETS)),
)


@settings(max_examples=50, deadline=None)
@given(recipe=RECIPES)
def test_written_down_and_read_again_it_is_the_same(recipe):
    assert Recipe.from_text(recipe.to_text()) == recipe
    assert Recipe.from_json(recipe.to_json()) == recipe


def test_a_name_alone_is_that_scheme_everywhere():
    recipe = Recipe.from_text("weight_wi8")

    assert set(recipe.schemes("encoder", PARTS["encoder"]).values()) == {"weight_wi8"}


def test_what_is_said_of_the_encoder_holds_on_a_stream_too():
    recipe = Recipe(overrides=(Override("encoder.fc1", "fp16"), Override("head.fc2", "fp32")))

    assert recipe.schemes("head", ["fc1", "fc2"]) == {"fc1": "fp16", "fc2": "fp32"}
    assert recipe.schemes("encoder", ["fc1", "fc2"])["fc2"] == "static_wi8_ai8"
    recipe.check_names({"head": ["fc1", "fc2"], "encoder_step": ["conv1"]})


def test_overrides_count_for_parts_layers_and_patterns_the_last_first():
    recipe = Recipe(
        overrides=(
            Override("decoder", "fp16"),
            Override("*.*fc*", "weight_wi8"),
            Override("encoder.fc1", "fp32"),
        )
    )

    assert recipe.schemes("encoder", PARTS["encoder"]) == {
        "conv1": "static_wi8_ai8",
        "conv2": "static_wi8_ai8",
        "fc1": "fp32",
    }
    assert recipe.schemes("decoder", PARTS["decoder"]) == {"trunk_fc": "weight_wi8", "texture_up1": "fp16"}
    recipe.check_names(PARTS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("static_w8_a8", "unknown scheme: got 'static_w8_a8'.*did you mean static_wi8_ai8"),
        (
            '{"scheme": "static_wi8_ai8", "observr": "mse"}',
            "unknown word in the recipe.*did you mean observer",
        ),
        ('{"observer": "msee"}', "unknown observer: got 'msee'.*did you mean mse"),
        ('{"target": "riscv"}', "unknown target: got 'riscv', expected generic, x86, arm"),
        ('{"overrides": {"encoder.fc1": "wi4_block32"}}', "unknown scheme.*weight_wi4_block32"),
        ('{"overrides": ["encoder"]}', "overrides of the recipe"),
        ('{"overrides": {"encoder": 4}}', "unknown scheme: got 4"),
        ('{"scheme": 8}', "scheme of the recipe: got 8"),
        ('{"scheme": "fp16"', "the recipe is no JSON"),
    ],
)
def test_what_is_unknown_is_told_with_what_is_close(text, message):
    with pytest.raises(InputError, match=message):
        Recipe.from_text(text)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("encodr.fc1", "unknown part in the recipe: got 'encodr'.*did you mean encoder"),
        ("encoder.fc3", "unknown layer of encoder in the recipe: got 'fc3'.*did you mean fc1"),
        ("decoder.conv*", r"unknown layer of decoder in the recipe: got 'conv\*'"),
    ],
)
def test_a_layer_that_is_not_there_is_told_with_those_that_are(where, message):
    with pytest.raises(InputError, match=message):
        Recipe(overrides=(Override(where, "fp16"),)).check_names(PARTS)


def test_only_an_object_is_a_recipe():
    with pytest.raises(InputError, match="a recipe: got list"):
        Recipe.from_json([])


@pytest.mark.parametrize(
    ("scheme", "precision"),
    [
        ("static_wi8_ai8", "int8"),
        ("dynamic_wi8", "int8"),
        ("weight_wi8", "wi8"),
        ("weight_wi4_block32", "wi4"),
        ("weight_p4", "p4"),
        ("fp16", "fp16"),
    ],
)
def test_nothing_is_called_int8_whose_weights_alone_are_integers(scheme, precision):
    assert SCHEMES[scheme].precision == precision
