//! Tests of alerts: when they fire, when they are silent, and what would have happened.

use proptest::prelude::*;

use super::*;

const HOUR: Micros = 3_600_000_000;

fn window(i: i64) -> (Micros, Micros) {
    (i * HOUR, (i + 1) * HOUR)
}

fn rule(bound: Bound) -> Rule {
    Rule { window: HOUR, silence: 3 * HOUR, ..Rule::new("r", Measure::Errors, bound) }
}

/// The events of a rule over windows in a row; NaN is a value that is not known.
fn events(rule: &Rule, values: &[f64]) -> (State, Vec<Event>) {
    let mut state = State::default();
    let mut events = Vec::new();
    for (i, value) in values.iter().enumerate() {
        let judged = judge(rule, &state, &Reading::known(window(i as i64), 10, *value));
        (state, _) = (judged.state, events.push(judged.event));
        state.told();
    }
    (state, events)
}

#[test]
fn a_rule_fires_after_so_many_windows_in_a_row_and_clears_after_as_many_beyond_the_other_bound() {
    use Event::{Cleared, Fired, Quiet, Silent};
    let rule = Rule { fire_after: 2, clear: Some(0.2), clear_after: 2, silence: 99 * HOUR, ..rule(Bound::Above(0.5)) };
    // Once is not enough, 0.3 lies between the bounds, and one calm window is not enough either.
    let (_, found) = events(&rule, &[0.6, 0.4, 0.6, 0.6, 0.3, 0.2, 0.3, 0.2, 0.1, 0.3]);
    assert_eq!(found, [Quiet, Quiet, Quiet, Fired, Silent, Silent, Silent, Silent, Cleared, Quiet]);
}

#[test]
fn the_bounds_say_whether_they_are_part_of_it() {
    for (bound, value, fires) in [
        (Bound::Above(0.0), 0.0, false),
        (Bound::Above(0.0), 1e-9, true),
        (Bound::Reaches(0.5), 0.5, true),
        (Bound::Reaches(0.5), 0.499, false),
        (Bound::Below(0.7), 0.7, false),
        (Bound::Below(0.7), 0.69, true),
    ] {
        let (_, found) = events(&rule(bound), &[value]);
        assert_eq!(found[0] == Event::Fired, fires, "{bound} {value}");
    }
    let (_, found) = events(&rule(Bound::Reaches(0.5)), &[0.5, 0.49, 0.5]);
    assert_eq!(found, [Event::Fired, Event::Cleared, Event::Fired]);
}

#[test]
fn what_goes_on_is_told_again_only_after_the_silence() {
    use Event::{Fired, Silent, Still};
    let (state, found) = events(&rule(Bound::Above(0.5)), &[0.9; 8]);
    assert_eq!(found, [Fired, Silent, Silent, Still, Silent, Silent, Still, Silent]);
    assert_eq!(state.firing, Some(Firing { since: 0, fired: HOUR, told: Some(7 * HOUR) }));
}

#[test]
fn what_was_not_told_stays_due_until_it_is() {
    let rule = rule(Bound::Above(0.5));
    let mut state = State::default();
    for i in 0..10 {
        state = judge(&rule, &state, &Reading::known(window(i), 1, 0.9)).state;
        let due = state.due.as_ref().unwrap();
        assert_eq!((due.event, due.reading.to), (Event::Fired, HOUR), "window {i}: the first message, not a reminder");
    }
    state = judge(&rule, &state, &Reading::known(window(10), 1, 0.1)).state;
    assert_eq!(
        state.due.as_ref().map(|d| (d.event, d.since)),
        Some((Event::Cleared, 0)),
        "the end says since when it was"
    );
    state.told();
    assert_eq!((&state.due, &state.firing), (&None, &None));
}

#[test]
fn a_window_is_judged_once_whatever_the_clock_does() {
    let rule = Rule { fire_after: 2, ..rule(Bound::Above(0.5)) };
    let first = judge(&rule, &State::default(), &Reading::known(window(100), 1, 0.9));
    for i in [100, 99, -5] {
        let again = judge(&rule, &first.state, &Reading::known(window(i), 1, 0.9));
        assert_eq!((again.event, &again.state), (Event::Stale, &first.state), "window {i}");
    }
    // The clock had run ahead: once it is set back, the windows that come are judged, and reminders do not wait for the other time.
    let mut state = judge(&rule, &first.state, &Reading::known(window(1_000_000), 1, 0.9)).state;
    state.told();
    state.rewind(101 * HOUR);
    let events: Vec<Event> = (101..105)
        .map(|i| {
            let judged = judge(&rule, &state, &Reading::known(window(i), 1, 0.9));
            state = judged.state;
            state.told();
            judged.event
        })
        .collect();
    assert_eq!(events, [Event::Silent, Event::Silent, Event::Still, Event::Silent]);
}

#[test]
fn moments_at_the_ends_of_time_do_no_harm() {
    let rule = rule(Bound::Above(0.5));
    let mut state = State::default();
    for (from, to) in [(i64::MIN, i64::MIN + 1), (0, 1), (i64::MAX - 1, i64::MAX)] {
        state = judge(&rule, &state, &Reading::known((from, to), 1, 0.9)).state;
        state.told();
    }
    assert!(rule.last_end(i64::MIN) <= i64::MIN + HOUR);
    assert_eq!(rule.last_end(-1), -HOUR, "also before 1970");
    assert_eq!(Rule { delay: 2 * HOUR, ..rule }.last_end(5 * HOUR + 7), 3 * HOUR);
}

#[test]
fn what_is_not_known_neither_fires_nor_clears() {
    use Event::{Cleared, Fired, Quiet, Unknown};
    let rule = Rule { fire_after: 2, clear_after: 2, silence: 0, ..rule(Bound::Above(0.5)) };
    let (_, found) = events(&rule, &[0.9, f64::NAN, 0.9, f64::NAN, 0.1, f64::NAN, 0.1]);
    assert_eq!(found, [Quiet, Unknown, Fired, Unknown, Event::Still, Unknown, Cleared]);
    let reading = Reading::unknown(window(0), "no label has come yet");
    assert_eq!(judge(&rule, &State::default(), &reading).verdict, Verdict::Unknown);
    // No volume is a volume.
    let volume = Rule::new("v", Measure::Volume, Bound::Below(1.0));
    let nothing = |measure| Reading::of_nothing(measure, window(0));
    assert_eq!(judge(&volume, &State::default(), &nothing(Measure::Volume)).event, Event::Fired);
    assert!(matches!(nothing(Measure::Latency).value, Value::Unknown { .. }));
}

#[test]
fn few_labels_do_not_cry_wolf() {
    let rule = Rule::new("auc", Measure::Metric(tabwright_core::metric::Metric::RocAuc), Bound::Below(0.7));
    let says = |value, band| {
        let judged = judge(&rule, &State::default(), &Reading::with_band(window(0), 12, value, band));
        (judged.verdict, judged.event)
    };
    assert_eq!(says(0.6, (0.4, 0.8)), (Verdict::Between, Event::Quiet));
    assert_eq!(says(0.6, (0.55, 0.65)), (Verdict::Broken, Event::Fired));
    assert_eq!(says(0.75, (0.6, 0.9)), (Verdict::Calm, Event::Quiet));
    assert_eq!(says(0.6, (f64::NAN, 0.65)).0, Verdict::Unknown);
    assert_eq!(says(0.75, (0.5, 0.6)).0, Verdict::Calm, "a band that does not hold the value is stretched to it");
}

#[test]
fn a_rule_that_cannot_be_judged_is_refused_by_its_key() {
    let good = rule(Bound::Above(0.5));
    assert!(good.validate().is_ok());
    for (wrong, key) in [
        (Rule { bound: Bound::Above(f64::NAN), ..good.clone() }, "above = NaN"),
        (Rule { bound: Bound::Below(f64::INFINITY), ..good.clone() }, "below = inf"),
        (Rule { clear: Some(0.6), ..good.clone() }, "clear = 0.6 is out of range; allowed: at most 0.5"),
        (
            Rule { bound: Bound::Below(0.5), clear: Some(0.4), ..good.clone() },
            "clear = 0.4 is out of range; allowed: at least",
        ),
        (Rule { fire_after: 0, ..good.clone() }, "for = 0"),
        (Rule { clear_after: 5_000, ..good.clone() }, "clear_for = 5000"),
        (Rule { window: 0, ..good.clone() }, "window = 0 s"),
        (Rule { silence: i64::MAX, ..good.clone() }, "silence = "),
        (Rule { delay: -1, ..good.clone() }, "delay = "),
    ] {
        let error = wrong.validate().unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    }
}

#[test]
fn measures_are_named_and_the_nearest_is_offered() {
    for measure in Measure::PLAIN {
        assert_eq!(measure.name().parse::<Measure>().unwrap(), measure);
    }
    let rmse = "rmse".parse::<Measure>().unwrap();
    assert!(rmse.needs_labels());
    assert_eq!(serde_json::from_str::<Measure>(&serde_json::to_string(&rmse).unwrap()).unwrap(), rmse);
    let error = "latncy".parse::<Measure>().unwrap_err().to_string();
    assert!(error.contains("did you mean `latency`?"), "{error}");
    assert!("criticl".parse::<Severity>().unwrap_err().to_string().contains("critical"));
}

#[test]
fn a_state_survives_being_written() {
    let rule = rule(Bound::Above(0.5));
    let state = judge(&rule, &State::default(), &Reading::with_band(window(3), 9, 0.9, (0.8, 1.0))).state;
    let text = serde_json::to_string(&state).unwrap();
    assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
    assert_eq!(serde_json::from_str::<State>("{}").unwrap(), State::default());
}

#[test]
fn a_group_is_one_message_and_the_worst_comes_first() {
    let of = |name: &str, group: &str, severity| Rule {
        group: group.into(),
        severity,
        ..Rule::new(name, Measure::Errors, Bound::Above(0.0))
    };
    let rules = [
        of("a", "data", Severity::Info),
        of("data", "", Severity::Info),
        of("b", "data", Severity::Critical),
        of("c", "", Severity::Warning),
    ];
    let groups = grouped(&rules.iter().collect::<Vec<_>>());
    let found: Vec<(&str, Severity, &[usize])> =
        groups.iter().map(|g| (g.name.as_str(), g.severity, g.rules.as_slice())).collect();
    let expected: [(&str, Severity, &[usize]); 3] =
        [("data", Severity::Critical, &[2, 0]), ("c", Severity::Warning, &[3]), ("data", Severity::Info, &[1])];
    assert_eq!(found, expected, "a rule that is called as a group is not in it");
    assert!(grouped(&[]).is_empty());
}

#[test]
fn history_says_how_often_it_would_have_fired_and_whether_rightly() {
    let rule = Rule { fire_after: 2, silence: 2 * HOUR, ..rule(Bound::Above(0.5)) };
    let values = [0.1, 0.9, 0.9, 0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.9, f64::NAN, 0.9];
    let readings: Vec<Reading> =
        values.iter().enumerate().map(|(i, value)| Reading::known(window(i as i64), 1, *value)).collect();
    let period = |from: i64, to: i64, kind| Period { from: from * HOUR, to: to * HOUR, kind };
    let periods = [
        period(0, 6, PeriodKind::Quiet),
        period(6, 12, PeriodKind::Drifted),
        period(20, 30, PeriodKind::Drifted),
        period(9, 12, PeriodKind::Drifted),
    ];
    let found = backtest(&rule, &readings, &periods);
    assert_eq!((found.windows, found.unknown, found.fired, found.first), (12, 1, 2, Some(3 * HOUR)));
    let alarms = [
        Alarm { since: HOUR, fired: 3 * HOUR, until: Some(4 * HOUR) },
        Alarm { since: 6 * HOUR, fired: 8 * HOUR, until: None },
    ];
    assert_eq!((found.alarms.as_slice(), found.duration), (&alarms[..], 5 * HOUR));
    // Fired, over, fired, still after two hours, and, since nothing is said of what is not known, after four.
    assert_eq!(found.told, 5);
    assert_eq!(found.share_in_alarm, Some(6.0 / 12.0));
    assert_eq!(found.quiet, Some(Quiet { windows: 6, broken: 2, false_alarms: 1, rate: Some(1.0 / 6.0) }));
    let drifted: Vec<(Option<Micros>, Option<Micros>, bool)> =
        found.drifted.iter().map(|n| (n.at, n.after, n.already)).collect();
    let expected = [(Some(8 * HOUR), Some(2 * HOUR), false), (None, None, false), (Some(10 * HOUR), Some(HOUR), true)];
    assert_eq!(drifted, expected);
    let nothing = backtest(&rule, &[], &[]);
    assert_eq!((nothing.windows, nothing.share_in_alarm, nothing.quiet), (0, None, None));
}

fn values() -> impl Strategy<Value = Vec<Option<f64>>> {
    prop::collection::vec(prop::option::weighted(0.8, 0.0..1.0f64), 0..80)
}

fn rules() -> impl Strategy<Value = Rule> {
    let bound = prop_oneof![
        (0.0..1.0f64).prop_map(Bound::Above),
        (0.0..1.0f64).prop_map(Bound::Reaches),
        (0.0..1.0f64).prop_map(Bound::Below)
    ];
    (bound, 1..4u32, 1..4u32, 0.0..0.5f64, 0..6i64).prop_map(|(bound, fire_after, clear_after, gap, silence)| {
        let clear = if bound.is_upper() { bound.value() - gap } else { bound.value() + gap };
        Rule { fire_after, clear: Some(clear), clear_after, silence: silence * HOUR, ..rule(bound) }
    })
}

fn reading(i: usize, value: Option<f64>) -> Reading {
    match value {
        Some(value) => Reading::known(window(i as i64), 1, value),
        None => Reading::unknown(window(i as i64), "no label"),
    }
}

proptest! {
    #[test]
    fn what_is_judged_twice_or_out_of_order_changes_nothing(rule in rules(), values in values()) {
        let (mut once, mut often) = (State::default(), State::default());
        for (i, value) in values.iter().enumerate() {
            once = judge(&rule, &once, &reading(i, *value)).state;
            often = judge(&rule, &often, &reading(i, *value)).state;
            for earlier in 0..=i {
                let judged = judge(&rule, &often, &reading(earlier, Some(0.5)));
                prop_assert_eq!(judged.event, Event::Stale);
                often = judged.state;
            }
        }
        prop_assert_eq!(once, often);
    }

    #[test]
    fn alarms_follow_the_known_windows_alone(rule in rules(), values in values()) {
        let fired = |keep_unknown: bool| {
            let (mut state, mut fired) = (State::default(), Vec::new());
            for (i, value) in values.iter().enumerate().filter(|(_, v)| keep_unknown || v.is_some()) {
                let judged = judge(&rule, &state, &reading(i, *value));
                state = judged.state;
                if matches!(judged.event, Event::Fired | Event::Cleared) {
                    fired.push((i, judged.event));
                }
            }
            fired
        };
        let found = fired(true);
        prop_assert_eq!(&found, &fired(false));
        // They take turns, and each begins with as many windows in a row as were asked for.
        for (k, (i, event)) in found.iter().enumerate() {
            prop_assert_eq!(*event, if k % 2 == 0 { Event::Fired } else { Event::Cleared });
            let known = values[..=*i].iter().flatten().rev();
            let is_bad = |v: &&f64| rule.bound.is_broken_by(**v);
            match event {
                Event::Fired => prop_assert!(known.take_while(is_bad).count() >= rule.fire_after as usize),
                _ => prop_assert_eq!(known.take_while(|v| !is_bad(v)).take(rule.clear_after as usize).count(), rule.clear_after as usize),
            }
        }
    }

    #[test]
    fn between_two_messages_of_an_alarm_lies_the_silence(rule in rules(), values in values()) {
        let (mut state, mut last) = (State::default(), None::<Micros>);
        for (i, value) in values.iter().enumerate() {
            let judged = judge(&rule, &state, &reading(i, *value));
            state = judged.state;
            let to = window(i as i64).1;
            match judged.event {
                Event::Still => prop_assert!(last.is_some_and(|last| to - last >= rule.silence)),
                Event::Silent => prop_assert!(last.is_some_and(|last| to - last < rule.silence)),
                _ => {}
            }
            if state.due.is_some() {
                last = Some(to);
            }
            state.told();
        }
    }

    #[test]
    fn a_backtest_does_what_the_rule_does(rule in rules(), values in values()) {
        let readings: Vec<Reading> = values.iter().enumerate().map(|(i, v)| reading(i, *v)).collect();
        let whole = Period { from: 0, to: 1_000 * HOUR, kind: PeriodKind::Quiet };
        let found = backtest(&rule, &readings, std::slice::from_ref(&whole));
        let mut state = State::default();
        let mut fired = 0;
        for reading in &readings {
            let judged = judge(&rule, &state, reading);
            state = judged.state;
            fired += u64::from(judged.event == Event::Fired);
        }
        prop_assert_eq!(found.fired, fired);
        prop_assert_eq!(found.quiet.unwrap().false_alarms, fired);
        prop_assert_eq!(found.alarms.last().is_some_and(|a| a.until.is_none()), state.firing.is_some());
        prop_assert!(found.duration <= values.len() as i64 * HOUR);
    }
}
