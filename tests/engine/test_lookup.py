from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from toolkit.engine.entries import Ids
from toolkit.engine.lookup import Lookup, places_of

few = st.lists(st.one_of(st.binary(min_size=16, max_size=16), st.integers(0, 40).map(lambda n: n.to_bytes(16, "big"))))


def ids(values: list[bytes]) -> Ids:
    return np.array(sorted(values), "S16")


@given(few, few)
def test_ids_are_found_among_others_as_often_as_they_are_there(held: list[bytes], wanted: list[bytes]) -> None:
    there, unique = ids(held), ids(list(set(wanted)))
    places, which = Lookup(unique).among(there)
    pairs = [(at, number) for at, one in enumerate(there) for number, other in enumerate(unique) if one == other]
    assert list(zip(places.tolist(), which.tolist(), strict=True)) == pairs


@given(few, few)
def test_a_place_is_where_an_id_is_or_nowhere(some: list[bytes], among: list[bytes]) -> None:
    unique = ids(list(set(among)))
    known = {value: at for at, value in enumerate(unique.tolist())}
    assert places_of(ids(some), unique).tolist() == [known.get(value, -1) for value in ids(some).tolist()]
