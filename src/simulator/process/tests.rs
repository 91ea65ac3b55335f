//! The transition table, row by row.

use super::*;

fn second(n: u64) -> Instant {
    Instant::START + Duration::seconds(n)
}

const PLAIN: Nature = Nature {
    grace: Duration::minutes(5),
    closes_at_once: false,
    stops_by_force: false,
    lingers: false,
    has_database: true,
    draws: (Seed(1), 2, 3),
};

const SIGTERM: Cause = Cause::Terminated { by_endpoint: false };
const GIVES_UP: Cause = Cause::GivesUp { patience: 0 };

/// A process that came up and met these causes, a second apart.
fn after(nature: Nature, causes: &[Cause]) -> (Course, Vec<Effect>) {
    let mut course = Course::new(nature);
    let mut last = course.on(second(0), Cause::ComesUp);
    for (index, cause) in causes.iter().enumerate() {
        last = course.on(second(index as u64 + 1), *cause);
    }
    (course, last)
}

fn check(causes: &[Cause], port: Port, effects: &[Effect]) {
    let (course, last) = after(PLAIN, causes);
    assert_eq!((course.port(), last.as_slice()), (port, effects), "{causes:?}");
}

#[test]
fn it_starts_up_works_and_stops() {
    assert_eq!(Course::new(PLAIN).port(), Port::Refused);
    check(&[], Port::Open, &[]);
    let cut_off = Effect::After(Duration::minutes(5), Cause::Exits(ExitCause::Forced));
    check(&[SIGTERM], Port::Open, &[Effect::ShutsDown, Effect::Slows, cut_off, Effect::MayBeIdle]);
    check(&[SIGTERM, SIGTERM], Port::Open, &[]);
    let (course, last) = after(PLAIN, &[SIGTERM, Cause::Idle]);
    assert_eq!(course.port(), Port::Closing);
    assert!(matches!(last.as_slice(), [Effect::After(_, Cause::Closed), Effect::After(_, Cause::Exits(_))]));
    check(&[SIGTERM, Cause::Idle, Cause::Idle], Port::Closing, &[]);
    check(&[SIGTERM, Cause::Idle, Cause::Closed], Port::Refused, &[]);
    check(&[Cause::Exits(ExitCause::Stopped)], Port::Open, &[Effect::Gone(ExitCause::Stopped)]);
}

#[test]
fn sigterm_ends_a_process_that_still_starts_up() {
    assert_eq!(Course::new(PLAIN).on(second(1), SIGTERM), [Effect::Gone(ExitCause::Stopped)]);
    let mut course = Course::new(PLAIN);
    assert_eq!(course.on(second(1), Cause::Hangs), [Effect::Stands]);
    assert_eq!((course.on(second(7), Cause::ComesUp), course.port(), course.came_up()), (vec![], Port::Refused, false));
    let comes_up = Effect::After(Duration::ZERO, Cause::ComesUp);
    assert_eq!(course.on(second(9), Cause::Unhangs), [Effect::GoesOn, comes_up]);
}

#[test]
fn versions_close_their_ports_in_their_own_ways() {
    let at_once = Nature { closes_at_once: true, ..PLAIN };
    assert_eq!(after(at_once, &[SIGTERM]).0.port(), Port::Closing);
    let (course, effects) = after(at_once, &[Cause::Terminated { by_endpoint: true }]);
    assert_eq!(course.port(), Port::Open);
    assert_eq!(effects[0], Effect::After(Duration::milliseconds(500), Cause::Deaf));
    let by_force = Nature { stops_by_force: true, ..PLAIN };
    let (_, effects) = after(by_force, &[SIGTERM]);
    assert!(effects.contains(&Effect::After(Duration::seconds(13), Cause::Exits(ExitCause::Forced))));
    assert_eq!(after(by_force, &[SIGTERM, Cause::Idle]).0.port(), Port::Open);
}

#[test]
fn a_lost_database_dooms_it_and_it_gives_up_unless_it_has_new_patience() {
    let (course, _) = after(PLAIN, &[Cause::Doomed]);
    assert!(course.up() && course.moves() && course.doomed() && !course.works());
    check(&[GIVES_UP], Port::Open, &[Effect::Gone(ExitCause::DatabaseLost)]);
    let (mut course, _) = after(PLAIN, &[]);
    course.new_patience();
    assert_eq!(course.on(second(9), GIVES_UP), []);
    let worker = Nature { has_database: false, ..PLAIN };
    assert_eq!(after(worker, &[GIVES_UP]).1, [Effect::Gone(ExitCause::NoController)]);
    let lingers = Nature { lingers: true, ..PLAIN };
    let (course, effects) = after(lingers, &[GIVES_UP]);
    assert_eq!((course.port(), effects.as_slice()), (Port::Closing, [Effect::Lingers].as_slice()));
    let (_, effects) = after(lingers, &[GIVES_UP, SIGTERM]);
    assert_eq!(effects, [Effect::After(Duration::seconds(3), Cause::Exits(ExitCause::Stopped))]);
}

#[test]
fn who_stands_still_does_nothing_until_nothing_holds_it() {
    check(&[Cause::Hangs], Port::Frozen, &[Effect::Stands]);
    check(&[Cause::Hangs, GIVES_UP], Port::Frozen, &[]);
    check(&[Cause::Hangs, Cause::Exits(ExitCause::Forced)], Port::Frozen, &[]);
    check(&[Cause::Hangs, Cause::Unhangs], Port::Open, &[Effect::GoesOn]);
    let both = [Effect::GoesOn, Effect::Gone(ExitCause::DatabaseLost)];
    check(&[Cause::Hangs, GIVES_UP, Cause::Unhangs], Port::Open, &both);
    // A collection: its port is open, requests wait.
    let until = second(60);
    check(&[Cause::Pauses(until)], Port::Open, &[Effect::Stands, Effect::At(until, Cause::PauseEnds)]);
    check(&[Cause::Hangs, Cause::Pauses(until), Cause::Unhangs], Port::Open, &[]);
    let (mut course, _) = after(PLAIN, &[Cause::Hangs, Cause::Pauses(until), Cause::Unhangs]);
    assert_eq!((course.moves(), course.paused_until()), (false, Some(until)));
    assert_eq!(course.on(until, Cause::PauseEnds), [Effect::GoesOn]);
    assert!(course.works());
}

#[test]
fn who_stands_still_hears_sigterm_when_it_goes_on_and_is_killed_if_it_does_not() {
    let kills = Effect::After(Duration::minutes(5), Cause::Exits(ExitCause::Killed));
    check(&[Cause::Hangs, SIGTERM], Port::Frozen, &[kills]);
    check(&[Cause::Hangs, SIGTERM, SIGTERM], Port::Frozen, &[]);
    let killed = [Effect::Gone(ExitCause::Killed)];
    check(&[Cause::Hangs, SIGTERM, Cause::Exits(ExitCause::Killed)], Port::Frozen, &killed);
    let (course, effects) = after(PLAIN, &[Cause::Hangs, SIGTERM, Cause::Unhangs]);
    assert_eq!(effects[..2], [Effect::GoesOn, Effect::ShutsDown]);
    assert!(course.shutdown().is_some_and(|shutdown| shutdown.since == second(3)));
}

#[test]
fn a_process_that_shuts_down_can_be_doomed_and_give_up_too() {
    let (course, _) = after(PLAIN, &[SIGTERM, Cause::Doomed]);
    assert!(course.doomed() && course.moves() && course.shutdown().is_some());
    check(&[SIGTERM, GIVES_UP], Port::Open, &[Effect::Gone(ExitCause::DatabaseLost)]);
}

#[test]
fn of_two_collections_the_longer_one_holds_it() {
    let (short, long) = (second(30), second(60));
    for pauses in [[short, long], [long, short]] {
        let (mut course, _) = after(PLAIN, &pauses.map(Cause::Pauses));
        assert_eq!(course.paused_until(), Some(long));
        assert_eq!(course.on(short, Cause::PauseEnds), []);
        assert_eq!(course.on(long, Cause::PauseEnds), [Effect::GoesOn]);
    }
}

#[test]
fn who_goes_on_meets_what_came_meanwhile_in_its_order() {
    let (course, effects) = after(PLAIN, &[Cause::Hangs, Cause::Doomed, SIGTERM, GIVES_UP, Cause::Unhangs]);
    assert_eq!(effects[..2], [Effect::GoesOn, Effect::ShutsDown]);
    assert_eq!(effects.last(), Some(&Effect::Gone(ExitCause::DatabaseLost)));
    assert!(course.doomed(), "its connections were cut while it stood still");
}

#[test]
fn once_nothing_is_left_it_closes_and_exits_in_its_versions_time() {
    let at_once = Nature { closes_at_once: true, ..PLAIN };
    let by_force = Nature { stops_by_force: true, ..PLAIN };
    let stop = Cause::Terminated { by_endpoint: true };
    // Told twice to stop, so that the last task ended two seconds after the first time.
    for (nature, told, closed, exits) in [
        (PLAIN, stop, 2_100, 2_600),
        (PLAIN, SIGTERM, 500, 1_000),
        (at_once, stop, 1_600, 4_000),
        (at_once, SIGTERM, 100, 2_000),
        (by_force, stop, 3_000, 3_000),
        (by_force, SIGTERM, 3_000, 3_000),
    ] {
        let (_, effects) = after(nature, &[told, told, Cause::Idle]);
        let after = |milliseconds, cause| Effect::After(Duration::milliseconds(milliseconds), cause);
        let expected = [after(closed, Cause::Closed), after(exits, Cause::Exits(ExitCause::Stopped))];
        assert_eq!(effects, expected, "{nature:?} {told:?}");
    }
}
