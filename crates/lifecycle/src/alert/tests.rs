//! Tests of runs: what is judged, what is kept, what is told.

use tabwright_monitor::alert::{Bound, Event, Severity};

use super::*;

const HOUR: Micros = 3_600_000_000;
/// Midnight of 27 November 2026.
const BEGIN: Micros = 1_795_737_600_000_000;

/// A value for each hour since [`BEGIN`]; hours that are not there are not known.
struct Hours {
    values: Vec<f64>,
    asked: Vec<i64>,
    fails: bool,
    /// What a window that is not whole reads.
    begun: Option<f64>,
}

impl Hours {
    fn of(values: &[f64]) -> Self {
        Hours { values: values.to_vec(), asked: Vec::new(), fails: false, begun: None }
    }
}

impl Readings for Hours {
    fn read(&mut self, _: Measure, window: (Micros, Micros)) -> Result<Reading> {
        let hour = (window.0 - BEGIN).div_euclid(HOUR);
        if window.1 - window.0 < HOUR {
            return Ok(match self.begun {
                Some(value) => Reading::known(window, 100, value),
                None => Reading::unknown(window, "nothing was logged"),
            });
        }
        self.asked.push(hour);
        if self.fails {
            return Err(Error::Data("the disk is gone".into()));
        }
        let value = usize::try_from(hour).ok().and_then(|hour| self.values.get(hour));
        Ok(match value {
            Some(value) => Reading::known(window, 100, *value),
            None => Reading::unknown(window, "nothing was logged"),
        })
    }
}

fn rule() -> Rule {
    Rule { window: HOUR, silence: 1_000 * HOUR, ..Rule::new("errors", Measure::Errors, Bound::Above(0.05)) }
}

fn at(hour: i64) -> Micros {
    BEGIN + hour * HOUR
}

fn judge(folder: &Path, rules: &[Rule], readings: &mut Hours, now: Micros) -> Judgement {
    let mut run = AlertRun::open(folder, "churn").unwrap();
    let judgement = run.judge(rules, readings, now).unwrap();
    run.save().unwrap();
    judgement
}

#[test]
fn each_window_is_judged_once_across_runs() {
    let folder = tempfile::tempdir().unwrap();
    let mut hours = Hours::of(&[0.0, 0.0, 0.0, 0.5, 0.5, 0.0]);
    let first = judge(folder.path(), &[rule()], &mut hours, at(3) + 5);
    assert_eq!((hours.asked.as_slice(), first.messages.len(), first.is_firing()), (&[2][..], 0, false));
    assert_eq!(first.rules[0].alert.status, Status::Quiet);
    // Nothing new, then two windows at once.
    let again = judge(folder.path(), &[rule()], &mut hours, at(3) + 50);
    assert_eq!((hours.asked.len(), again.rules[0].windows, again.rules[0].alert.event), (1, 0, None));
    let later = judge(folder.path(), &[rule()], &mut hours, at(5) + 1);
    assert_eq!((hours.asked.as_slice(), later.is_firing()), (&[2, 3, 4][..], true));
    let [message] = later.messages.as_slice() else { panic!("{:?}", later.messages) };
    assert_eq!(message.subject, "[warning] churn: errors");
    let expected = "churn: 50 % of 100 entries have no prediction, from 2026-11-27T03:00:00Z to 2026-11-27T04:00:00Z. Rule `errors`: an \
                    alarm at more than 5.0 %, since 2026-11-27T03:00:00Z. `tabwright monitor report churn` shows what is refused: the \
                    form of the data may have changed.";
    assert_eq!(message.text, expected);
}

#[test]
fn what_breaks_the_bound_already_is_told_before_its_window_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut hours = Hours::of(&[0.0, 0.0, 0.5, 0.0]);
    hours.begun = Some(0.5);
    let early = judge(folder.path(), &[rule()], &mut hours, at(2) + HOUR / 2);
    assert_eq!((early.messages.len(), early.is_firing(), early.rules[0].alert.event), (1, true, Some(Event::Fired)));
    let mut run = AlertRun::open(folder.path(), "churn").unwrap();
    run.told(&early.messages[0]);
    run.save().unwrap();
    drop(run);
    // The whole window says the same, and nobody is told twice; the next one is calm.
    let whole = judge(folder.path(), &[rule()], &mut hours, at(3));
    assert_eq!((whole.messages.len(), whole.is_firing(), hours.asked.as_slice()), (0, true, &[1, 2][..]));
    hours.begun = None;
    let over = judge(folder.path(), &[rule()], &mut hours, at(4));
    assert_eq!((over.messages.len(), over.is_firing()), (1, false));
    // A rule that asks for two windows, and one of a volume, wait for the end.
    for rule in [Rule { fire_after: 2, ..rule() }, Rule { measure: Measure::Volume, ..rule() }] {
        let folder = tempfile::tempdir().unwrap();
        let mut hours = Hours::of(&[0.0, 0.0]);
        hours.begun = Some(0.5);
        assert!(!judge(folder.path(), &[rule], &mut hours, at(1) + HOUR / 2).is_firing());
    }
}

#[test]
fn what_nobody_got_is_due_again_with_the_same_id() {
    let folder = tempfile::tempdir().unwrap();
    let mut hours = Hours::of(&[0.5, 0.5, 0.5, 0.0]);
    let first = judge(folder.path(), &[rule()], &mut hours, at(1));
    let second = judge(folder.path(), &[rule()], &mut hours, at(2));
    assert_eq!((&second.messages[0].id, second.messages.len()), (&first.messages[0].id, 1));
    let mut run = AlertRun::open(folder.path(), "churn").unwrap();
    let third = run.judge(&[rule()], &mut hours, at(3)).unwrap();
    run.told(&third.messages[0]);
    run.save().unwrap();
    drop(run);
    let silent = judge(folder.path(), &[rule()], &mut hours, at(3) + 1);
    assert_eq!((silent.messages.len(), silent.is_firing()), (0, true), "told, and it goes on");
    let over = judge(folder.path(), &[rule()], &mut hours, at(4));
    assert_eq!((over.messages[0].event, over.messages[0].subject.as_str()), (Event::Cleared, "[over] churn: errors"));
    assert_ne!(over.messages[0].id, first.messages[0].id);
    assert!(
        over.messages[0].text.contains("it had gone on since 2026-11-27T00:00:00Z, and is over"),
        "{}",
        over.messages[0].text
    );
}

#[test]
fn alerts_of_a_group_are_one_message() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str, group: &str, severity| Rule { name: name.into(), group: group.into(), severity, ..rule() };
    let rules = [of("a", "data", Severity::Info), of("b", "", Severity::Warning), of("c", "data", Severity::Critical)];
    let found = judge(folder.path(), &rules, &mut Hours::of(&[0.5]), at(1));
    let subjects: Vec<&str> = found.messages.iter().map(|m| m.subject.as_str()).collect();
    assert_eq!(subjects, ["[critical] churn: data (2 alerts)", "[warning] churn: b"]);
    assert_eq!(found.messages[0].alerts.iter().map(|a| a.rule.as_str()).collect::<Vec<_>>(), ["c", "a"]);
    assert_eq!(found.messages[0].text.matches("Rule `").count(), 2);
}

#[test]
fn a_run_after_a_long_pause_judges_a_bounded_number_of_windows() {
    let folder = tempfile::tempdir().unwrap();
    let mut hours = Hours::of(&[]);
    judge(folder.path(), &[rule()], &mut hours, at(1));
    let found = judge(folder.path(), &[rule()], &mut hours, at(1_000));
    assert_eq!((found.rules[0].windows, found.rules[0].passed_over), (100, 899));
    assert_eq!((hours.asked.len(), hours.asked.last()), (101, Some(&999)));
    assert_eq!(found.rules[0].alert.status, Status::Unknown);
}

#[test]
fn a_reading_that_fails_is_told_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut hours = Hours::of(&[0.0, 0.5]);
    judge(folder.path(), &[rule()], &mut hours, at(1));
    hours.fails = true;
    let failed = judge(folder.path(), &[rule()], &mut hours, at(2));
    let problem = failed.rules[0].problem.as_deref().unwrap();
    assert!(problem.contains("the disk is gone") && problem.contains("2026-11-27T02:00:00Z"), "{problem}");
    hours.fails = false;
    assert!(judge(folder.path(), &[rule()], &mut hours, at(2)).is_firing());
}

#[test]
fn a_clock_that_jumps_makes_no_alarm_and_loses_no_rule() {
    let folder = tempfile::tempdir().unwrap();
    let mut hours = Hours::of(&[0.0; 10]);
    judge(folder.path(), &[rule()], &mut hours, at(1));
    // Far ahead, and back again: not judged until the clock has said for a window that it is right.
    judge(folder.path(), &[rule()], &mut hours, at(100_000));
    let asked = hours.asked.len();
    let back = judge(folder.path(), &[rule()], &mut hours, at(2));
    assert_eq!((hours.asked.len(), back.rules[0].windows), (asked, 0));
    assert!(back.rules[0].problem.as_deref().unwrap().contains("the clock was set back"), "{back:?}");
    hours.values = vec![0.0, 0.0, 0.5];
    let believed = judge(folder.path(), &[rule()], &mut hours, at(3) + 1);
    assert!(believed.rules[0].problem.as_deref().unwrap().contains("had run ahead"), "{believed:?}");
    assert_eq!((hours.asked.len(), hours.asked.last()), (asked + 1, Some(&2)));
    assert!(believed.is_firing());
    // A little back, across the end of a window: nothing is judged twice.
    let little = judge(folder.path(), &[rule()], &mut hours, at(3) - 1);
    assert_eq!((hours.asked.len(), little.rules[0].windows), (asked + 1, 0));
    assert_eq!(judge(folder.path(), &[rule()], &mut hours, at(3) + 2).rules[0].problem, None);
}

#[test]
fn a_rule_that_is_another_now_begins_afresh_and_one_that_is_gone_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let mut hours = Hours::of(&[0.5, 0.5]);
    assert!(judge(folder.path(), &[rule()], &mut hours, at(1)).is_firing());
    let other = Rule { bound: Bound::Above(0.9), ..rule() };
    let found = judge(folder.path(), std::slice::from_ref(&other), &mut hours, at(1));
    assert_eq!((found.is_firing(), found.messages.len()), (false, 0));
    assert!(judge(folder.path(), &[], &mut hours, at(1)).rules.is_empty());
    assert!(!std::fs::read_to_string(folder.path().join(FILE)).unwrap().contains("errors"));
    let mut run = AlertRun::open(folder.path(), "churn").unwrap();
    let error = run.judge(&[rule(), rule()], &mut hours, at(1)).unwrap_err().to_string();
    assert!(error.contains("two rules `errors`"), "{error}");
}

#[test]
fn one_run_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let run = AlertRun::open(folder.path(), "churn").unwrap();
    let error = AlertRun::open(folder.path(), "churn").unwrap_err().to_string();
    assert!(error.contains("another process is judging the alerts of churn"), "{error}");
    drop(run);
    assert!(AlertRun::open(folder.path(), "churn").is_ok());
}

#[test]
fn a_state_that_is_torn_or_of_others_is_refused_and_left() {
    let folder = tempfile::tempdir().unwrap();
    let mut hours = Hours::of(&[0.5, f64::INFINITY]);
    judge(folder.path(), &[rule()], &mut hours, at(1));
    let path = folder.path().join(FILE);
    let whole = std::fs::read(&path).unwrap();
    for length in 0..whole.len() - 1 {
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = AlertRun::open(folder.path(), "churn").unwrap_err();
        assert!(error.to_string().contains("ends in the middle"), "{length}: {error}");
        assert_eq!(error.exit(), crate::error::Exit::Data);
    }
    for (text, why) in [
        ("{\"format\": 2, \"model\": \"churn\", \"rules\": 7}", "it has the format 2"),
        ("{\"format\": 1, \"model\": \"other\", \"rules\": {}}", "it is that of \"other\""),
        ("{\"format\": 1, \"model\": \"churn\", \"rules\": {\"a\": 5}}", "invalid type"),
        ("[1]", "invalid length"),
        ("\u{0}\u{1}", "expected value"),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = AlertRun::open(folder.path(), "churn").unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("move it away") && error.contains(FILE), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "it is left as it is");
    }
    std::fs::write(&path, &whole).unwrap();
    // Numbers without end are kept as the largest, so that the state can be read again.
    assert!(judge(folder.path(), &[rule()], &mut hours, at(2)).is_firing());
    assert!(AlertRun::open(folder.path(), "churn").is_ok());
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(AlertRun::open(folder.path(), "churn").unwrap_err().to_string().contains("it is no file"));
}

#[test]
fn every_measure_has_words_for_what_is_wrong_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let mut measures = Measure::PLAIN.to_vec();
    measures.push(Measure::Metric(tabwright_core::metric::Metric::RocAuc));
    let rules: Vec<Rule> = measures
        .iter()
        .map(|m| Rule { measure: *m, bound: Bound::Below(0.9), name: m.name().into(), ..rule() })
        .collect();
    let found = judge(folder.path(), &rules, &mut Hours::of(&[0.5]), at(1));
    for rule in &found.rules {
        let text = &rule.alert.text;
        assert!(text.contains("from 2026-11-27T00:00:00Z to 2026-11-27T01:00:00Z") && text.contains("since"), "{text}");
        assert!(text.contains("Look") || text.contains("`tabwright "), "what to do: {text}");
    }
    let unknown = judge(folder.path(), &rules, &mut Hours::of(&[0.5]), at(2));
    assert!(
        unknown.rules[0].alert.text.contains("drift_share is not known: nothing was logged"),
        "{:?}",
        unknown.rules[0]
    );
    assert!(unknown.is_firing(), "what is not known does not clear");
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["rules"][0]["bound"], serde_json::json!({"below": 0.9}));
    assert_eq!(json["rules"][0]["status"], "firing");
}

#[test]
fn history_is_replayed_over_whole_windows() {
    let mut hours = Hours::of(&[0.5, 0.0, 0.5, 0.5]);
    let found = backtest(&rule(), &mut hours, (at(0) + 1, at(4) - 1), &[]).unwrap();
    assert_eq!((hours.asked.as_slice(), found.windows, found.fired, found.first), (&[1, 2][..], 2, 1, Some(at(3))));
    assert_eq!(backtest(&rule(), &mut hours, (at(4), at(0)), &[]).unwrap().windows, 0);
    let error = backtest(&rule(), &mut hours, (i64::MIN, i64::MAX), &[]).unwrap_err().to_string();
    assert!(error.contains("at most 1000000 are replayed"), "{error}");
}
