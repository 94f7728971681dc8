import pytest

from auto_voice.web.validators import MOST_PER_PAGE, InvalidParameter, Page, pagination, sorting


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ({}, Page(0, 50)),
        ({"page": "3", "per_page": "20"}, Page(40, 20)),
        ({"limit": "7", "offset": "9"}, Page(9, 7)),
        ({"per_page": "5", "limit": "6"}, Page(0, 6)),
    ],
)
def test_both_dialects_of_pages(query: dict[str, str], page: Page) -> None:
    assert pagination(query) == page


@pytest.mark.parametrize("name", ["page", "per_page", "limit", "offset"])
@pytest.mark.parametrize("value", ["", "-1", "1.5", "x", "²", "9" * 5000, " 1"])
def test_what_is_no_whole_number_in_range_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        pagination({name: value})
    assert caught.value.code == "invalid_parameter"
    assert caught.value.message.startswith(f"{name} must be")


def test_pages_have_a_greatest_size_and_begin_at_one() -> None:
    assert pagination({"limit": str(MOST_PER_PAGE)}).limit == MOST_PER_PAGE
    for query in ({"limit": str(MOST_PER_PAGE + 1)}, {"limit": "0"}, {"page": "0"}):
        with pytest.raises(InvalidParameter):
            pagination(query)


def test_a_page_describes_itself() -> None:
    described = Page(40, 20).described(41)
    assert (described["page"], described["pages"], described["total"]) == (3, 3, 41)


def test_sorting() -> None:
    assert sorting({}) == ("created_at", "desc")
    assert sorting({"order": "asc"})[1] == "asc"
    for query in ({"sort_by": "embedding"}, {"order": "up"}):
        with pytest.raises(InvalidParameter):
            sorting(query)
