"""The header of a model card: completed without a changed word, read without harm, in agreement with the table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from huggingface_hub import ModelCard

from restoration.errors import BadWeights
from restoration.hub.header import About, completed, header_of, license_of, scores, slug
from restoration.recipe import default_recipe
from restoration.training.modelcard import about, model_card

ABOUT = About(name="m/t", method="m", task="t", network="n", license="mit")
TABLE = """
| pictures | evaluations | input | restored | protocol |
|---|---|---|---|---|
| Set5, x4 | 1 | 28.43 | 31.63 | PSNR, Y, border 4; 5 pictures, `restore score` |
| Set5, x2 | 10 | 30 | 35.5 | PSNR, Y, border 2; 5 pictures |
| Set5, x3 | ten | 30 | soon | nothing |

| other | table |
|---|---|
| 1 | 2 |
"""


@pytest.mark.parametrize("text", ["# Words\n", "", "---\n---\n", "---\nlanguage: en\n---\n# Words\n"])
def test_what_is_missing_is_added_and_a_second_time_nothing(text):
    made = completed(text, ABOUT)
    data = ModelCard(made).data
    assert (data.library_name, data.license, data.pipeline_tag) == ("restoration", "mit", "image-to-image")
    assert data.tags == ["restoration", "image-restoration", "m", "t", "n"]
    assert completed(made, ABOUT) == made
    assert made.endswith(text.rpartition("---\n")[2])


@pytest.mark.parametrize(
    ("tags", "kept"),
    [
        ("tags: [mine, t]  ", "tags: [mine, t, restoration, image-restoration, m, n]  "),
        ("tags:\n- mine\n- t", "tags:\n- mine\n- t\n- restoration\n- image-restoration\n- m\n- n"),
        ("tags:\n  - mine # mine\n  - t", "tags:\n  - mine # mine\n  - t\n  - restoration"),
        ('tags: ["mine",\n  "t"]', "tags:\n- mine\n- t\n- restoration"),
    ],
)
def test_tags_are_added_to_those_there_are_in_the_form_that_they_have(tags, kept):
    made = completed(f"---\nlicense: mit # asked\n{tags}\nx: 1\n---\nWords --- \n", ABOUT)
    assert kept in made
    assert header_of(made)["tags"] == ["mine", "t", "restoration", "image-restoration", "m", "n"]
    assert header_of(made)["x"] == 1
    assert made.endswith("---\nWords --- \n")
    assert completed(made, ABOUT) == made


def test_a_licence_is_never_changed():
    with pytest.raises(BadWeights, match=r"states the licence cc-by-4\.0, not mit"):
        completed("---\nlicense: cc-by-4.0\n---\n", ABOUT)
    assert "license: MIT\n" in completed("---\nlicense: MIT\n---\n", ABOUT)
    assert "license" not in header_of(completed("", About(name="", method="m", task="t")))


def test_a_licence_that_the_hub_does_not_know_is_stated_as_it_asks_and_read_again():
    for own, name in (("My own Licence: v1", "my-own-licence-v1"), ("0BSD", "0bsd")):
        made = completed("# Words\n", replace(ABOUT, license=own))
        assert (header_of(made)["license"], header_of(made)["license_name"]) == ("other", name)
        assert license_of(made) == name and completed(made, replace(ABOUT, license=own)) == made
        with pytest.raises(BadWeights, match=f"states the licence {name}, not mit"):
            completed(made, ABOUT)
    assert header_of(completed("# Words\n", replace(ABOUT, license="MIT")))["license"] == "mit"
    assert "license_name" not in completed("---\nlicense: other\n---\n", replace(ABOUT, license="ours"))


def test_scores_of_the_table_are_those_of_the_header_with_their_protocols():
    rows = scores(TABLE)
    assert [(row.evaluations, row.input, row.restored) for row in rows] == [(1, 28.43, 31.63), (10, 30, 35.5)]
    results = ModelCard(completed(TABLE, ABOUT)).data.eval_results
    assert [one.metric_value for one in results] == [31.63, 35.5]
    assert results[0].metric_name == "PSNR, Y, border 4; 5 pictures; 1 evaluation; 28.43 dB before"
    assert (results[1].dataset_type, results[1].dataset_config) == ("set5", "x2")
    assert "set5" in header_of(completed(TABLE, ABOUT))["tags"]
    assert slug("CelebA-HQ 256") == "celeba-hq-256"


def test_the_card_of_a_training_lacks_nothing():
    from msgspec.structs import replace

    recipe = default_recipe("regression", "denoise")
    record = {
        "steps": 5,
        "license": "mit",
        "data": "photos",
        "validation": {"psnr_rgb": 30.5, "pictures": 4, "step": 5},
    }
    text = model_card(replace(recipe, training=record))
    assert completed(text, about(replace(recipe, training=record))) == text
    (result,) = ModelCard(text).data.eval_results
    assert (result.metric_value, result.metric_name) == (30.5, "PSNR, RGB, border 0; 4 pictures, validation")


@pytest.mark.parametrize(
    "header",
    [
        "license: [mit",
        "- license",
        "1: 2\nlicense: mit",
        "license: !!python/object/apply:os.system [echo]",
        "tags: 5\nlicense: mit",
        "a: &a [x]\n<<: *a",
        "model-index: 5\nlicense: mit",
        "x: " + "[" * 5000,
        "x: " + "y" * 100_000,
    ],
)
def test_a_header_that_cannot_be_read_or_means_harm_states_nothing(header):
    text = f"---\n{header}\n---\n"
    with pytest.raises(BadWeights, match=r"the header of README\.md"):
        header_of(text)
    with pytest.raises(BadWeights):
        completed(text, ABOUT)


@pytest.mark.parametrize(
    ("header", "stated"),
    [
        ("license: MIT # asked", "mit"),
        ("x: 1\nlicense : 'cc-by-4.0'\n", "cc-by-4.0"),
        ('license: "Apache-2.0"', "apache-2.0"),
        ("license: [mit, bsd]", "mit"),
        ("license:\n- mit\n- bsd", "mit"),
        ("license:\nx: mit", ""),
        ("license: other\nlicense_name: Own Words", "own words"),
        ("license: other", ""),
        ("  license: mit", ""),
        ("license: " + "m" * 1000, ""),
        ("license: {a: b}", ""),
        ("x: " + "[" * 60_000 + "\nlicense: mit", "mit"),
    ],
)
def test_the_licence_is_read_from_its_line_alone(header, stated):
    assert license_of(f"---\n{header}\n---\nlicense: gpl-3.0\n") == stated
    assert license_of(header) == ""


def test_a_header_that_grows_when_it_is_read_is_read_all_the_same():
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    assert header_of(f"---\n{bomb}license: mit\n---\n")["license"] == "mit"
