#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Provoke 2300 thin waits, see 2300; and calls for nothing are attributed to where they were made."""
import sys

sys.dont_write_bytecode = True
import ct

OFF = dict(mode="adapt", UNSPIN_WAKE="off")
IDLE_LEAST = 200  # of 300: a thread kept from running for 20 us has worked as far as is known
CELLS = "idle_polls idle_outs thin_waits dry_in herd_accepts".split()


def run(scenario, **settings):
    return ct.run("ct_waste", scenario, **(settings or dict(mode="observe"))).ok()


def places(r):
    """Function -> its row; a call returns into the function that begins last before its address."""
    begins = sorted((values[-1], name.split(":")[0]) for name, values in r.facts.items()
                    if name.endswith(":address"))
    found = {}
    for site in r.kept.sites:
        name = max((b for b in begins if b[0] < site.address), default=(0, "nowhere"))[1]
        ct.check(name not in found, f"two places in {name}")
        found[name] = site
    return found


def layout_sites():
    return ct.layout().fields["stats_header"]["waste"][2]


def place_of(r, address):
    return next((name for name, site in places(r).items() if site.address == address), address)


def cells(r):
    return {name: {c: site[c] for c in CELLS if site[c]} for name, site in places(r).items()}


def set_row(r, which):
    (row,) = [e for e in r.kept.epolls if e.epfd == r.fact(which)]
    return row


@ct.case("waste_thin_waits_exactly_by_set_thread_and_place")
def thin():
    for settings in dict(mode="observe"), OFF:
        r = run("thin", **settings)
        ct.check_equal(r.kept.total("thin_waits"), 2300, "in all")
        (thread,) = [t.total[ct.layout().names["total"].index("thin_waits")] for t in r.kept.threads]
        ct.check_equal(thread, 2300, "of the thread")
        ct.check_equal([set_row(r, s).thin_waits for s in ("first", "second")], [1150, 1150], "by set")
        ct.check_equal(cells(r), {"wait_here": {"thin_waits": 920}, "wait_there": {"thin_waits": 1150},
                                  "wait_elsewhere": {"thin_waits": 230}}, "by place")
        ct.check_equal(set_row(r, "first").waste_is_several, 1, "several places")
        ct.check_equal(set_row(r, "second").waste_is_several, 0, "one place")
        ct.check_equal(place_of(r, set_row(r, "second").waste_site), "wait_there", "place of the set")


@ct.case("waste_few_events_of_a_calm_thread_are_none")
def calm():
    r = run("calm")
    ct.check_equal(r.kept.total("thin_waits"), 0, "thin_waits")
    ct.check_equal(cells(r), {}, "places")


@ct.case("waste_unused_out_is_not_thin")
def outs():
    r = run("outs")
    ct.check_equal(r.kept.total("thin_waits"), 0, "thin_waits")
    by = cells(r)
    ct.check_equal(set(by), {"wait_here", "wait_there"}, "places")
    row = set_row(r, "second")
    ct.check(row.idle_outs > 1000, f"{row.idle_outs} idle_outs")
    ct.check_equal(sum(c["idle_outs"] for c in by.values()), row.idle_outs, "idle_outs of both places")
    ct.check_equal([list(c) for c in by.values()], [["idle_outs"]] * 2, "nothing else")
    # The last wait of the first place was told to be idle by the first of the second: it is the first's.
    ct.check(all(c["idle_outs"] <= 1024 for c in by.values()), f"{by}")


@ct.case("waste_of_an_out_is_the_wait_s_that_was_told")
def outs_of_one():
    r = run("outs_of_one")
    by = cells(r)
    ct.check_equal(set(by), {"wait_here"}, "places")
    ct.check(by["wait_here"]["idle_outs"] > 300, f"{by}")


@ct.case("waste_idle_polls_by_place")
def idle():
    r = run("idle")
    by = cells(r)
    ct.check_equal(set(by), {"wait_here", "wait_there", "wait_elsewhere", "poll_here"}, "places")
    for name, row in by.items():
        ct.check(list(row) == ["idle_polls"] and IDLE_LEAST <= row["idle_polls"] <= 300, f"{name}: {row}")
    ct.check_equal(sum(c["idle_polls"] for c in by.values()), r.kept.total("idle_polls"), "in all")
    ct.check_equal(set_row(r, "first").waste_is_several, 1, "several places")
    ct.check_equal(place_of(r, set_row(r, "second").waste_site), "wait_elsewhere", "place of the set")
    ct.check_equal([s.is_shared for s in r.kept.sites], [0] * 4, "by one thread")
    ct.check_equal({s.tid for s in r.kept.sites}, {t.tid for t in r.kept.threads}, "its number")


@ct.case("waste_dry_reads_and_accepts_by_place")
def dry():
    r = run("dry")
    ct.check_equal(cells(r), {"read_here": {"dry_in": 20}, "recv_here": {"dry_in": 3},
                              "accept_here": {"herd_accepts": 5}}, "places")
    ct.check_equal(place_of(r, r.kept.socket(r.fact("dry")).dry_site), "recv_here", "of the socket")
    ct.check_equal(r.kept.globals["waste_elsewhere"], 0, "elsewhere")


@ct.case("waste_of_too_many_sets_is_the_thread_s")
def crowd():
    r = run("crowd")
    ct.check_equal(r.kept.total("thin_waits"), 1600, "in all")
    elsewhere, here = r.kept.globals["waste_elsewhere"], cells(r)["wait_here"]["thin_waits"]
    ct.check(elsewhere > 0, "all were told apart")
    ct.check_equal(here + elsewhere, 1600, "of a place or of none")
    ct.check_equal(sum(e.thin_waits for e in r.kept.epolls), here, "by set")


@ct.case("waste_of_too_many_places_is_counted_as_such")
def places_full():
    r = run("places")
    ct.check_equal(len(r.kept.sites), layout_sites(), "rows")
    known = sum(s.idle_polls for s in r.kept.sites)
    ct.check_equal(known + r.kept.globals["waste_elsewhere"], r.kept.total("idle_polls"), "idle_polls")
    ct.check(all(s.idle_polls > 10 for s in r.kept.sites), "a row without")
    ct.check(r.kept.globals["waste_elsewhere"] > 10, "none elsewhere")


ct.main()
