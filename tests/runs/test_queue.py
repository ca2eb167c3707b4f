from studio.runs.queue import turns


def waiting(*owners: str) -> list[dict]:
    return [{"id": f"{owner}{place}", "owner": owner, "queued": float(place)} for place, owner in enumerate(owners)]


def order(*owners: str, busy: tuple[str, ...] = (), served: dict | None = None) -> list[str]:
    return [row["id"] for row in turns(waiting(*owners), [{"owner": owner} for owner in busy], served or {})]


def test_one_owner_s_runs_start_in_the_order_they_came():
    assert order("ada", "ada", "ada") == ["ada0", "ada1", "ada2"]


def test_nobody_waits_behind_one_person_s_thirty_runs():
    ids = order(*["ada"] * 30, "bob")
    assert ids.index("bob30") == 1


def test_who_has_something_running_waits_for_who_has_not():
    assert order("ada", "bob", busy=("ada",))[0] == "bob1"


def test_who_was_served_longest_ago_is_next():
    assert order("ada", "bob", "eve", served={"ada": 300.0, "bob": 200.0, "eve": 100.0}) == ["eve2", "bob1", "ada0"]


def test_who_was_never_served_comes_before_who_was():
    assert order("ada", "bob", served={"ada": 1.0})[0] == "bob1"


def test_nothing_is_lost_or_doubled():
    owners = ["ada", "bob", "ada", "eve", "bob", "ada"]
    assert sorted(order(*owners)) == sorted(row["id"] for row in waiting(*owners))
