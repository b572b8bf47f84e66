//! `tabwright monitor alerts` and `tabwright monitor backtest`.

use std::process::ExitCode;

use clap::ArgMatches;
use serde_json::json;
use tabwright_lifecycle::alert::{AlertRun, backtest as replay};
use tabwright_lifecycle::error::{Error, Exit};
use tabwright_lifecycle::monitor::readings::LogReadings;
use tabwright_lifecycle::notify::Channels;
use tabwright_monitor::alert::{Backtest, Period, PeriodKind};
use tabwright_store::time::{self, Micros};

use super::{Default, Named, Watched, period};
use crate::command::{configuration, texts};
use crate::error::Failure;
use crate::{home, screen};

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let config = configuration(matches, true)?;
    let channels = Channels::of(&config.alerts, &home::referred)?;
    let is_sent = matches.get_flag("send");
    if is_sent && channels.is_empty() {
        return Err(Failure::usage(
            "--send: nobody is named to be told; set alerts.webhook, alerts.email or alerts.command in tabwright.toml",
        ));
    }
    let watched = Watched::find(matches, &config, Default::Logged)?;
    let now = time::now();
    let named = Named::read(matches, &config, now)?;
    let rules = config.alerts.rules(&config.monitor)?;
    let labels = watched.log.labels(i64::MAX).map_err(Error::from)?;
    let log = (&watched.log, watched.version.as_str());
    let mut readings = LogReadings::new(log, watched.artifact.as_ref(), named.against(), &config, &labels);
    let mut alerts = AlertRun::open(watched.log.folder(), watched.log.model())?;
    let judged = alerts.judge(&rules, &mut readings, now)?;
    alerts.save()?;
    let sent = match is_sent {
        true => home::runtime()?.block_on(channels.send_due(&mut alerts, &judged.messages))?,
        false => Vec::new(),
    };
    let undelivered = sent.iter().any(|outcome| !outcome.sent);
    if matches.get_flag("json") {
        let mut json = json!(judged);
        json["version"] = json!(watched.version);
        json["sent"] = json!(sent);
        screen::print_json(&json)?;
    } else {
        let mut text = String::new();
        for rule in &judged.rules {
            text.push_str(&format!("{}\n", rule.alert.text));
            if let Some(problem) = &rule.problem {
                text.push_str(&format!("  not judged: {problem}\n"));
            }
        }
        for outcome in &sent {
            let channel = json!(outcome.channel);
            let channel = channel.as_str().unwrap_or_default();
            text.push_str(&match &outcome.error {
                None => format!("told by {channel}\n"),
                Some(why) => format!("could not be told by {channel}: {why}; the next run tries again\n"),
            });
        }
        if !is_sent && !judged.messages.is_empty() {
            text.push_str("Nobody was told: --send tells whom [alerts] names.\n");
        }
        screen::print(&text)?;
    }
    if undelivered {
        return Ok(ExitCode::from(Exit::Failed as u8));
    }
    let is_on = matches.get_flag("gate") && judged.is_firing();
    Ok(if is_on { ExitCode::from(Exit::Verdict as u8) } else { ExitCode::SUCCESS })
}

pub(super) fn backtest(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let config = configuration(matches, true)?;
    let watched = Watched::find(matches, &config, Default::Logged)?;
    let now = time::now();
    let (from, to) = period::of(matches, now)?;
    let named = Named::read(matches, &config, from)?;
    let mut periods = Vec::new();
    for (name, kind) in [("quiet", PeriodKind::Quiet), ("drifted", PeriodKind::Drifted)] {
        for text in texts(matches, name) {
            let (from, to) = period::span(&text, now)?;
            periods.push(Period { from, to, kind });
        }
    }
    let labels = watched.log.labels(i64::MAX).map_err(Error::from)?;
    let log = (&watched.log, watched.version.as_str());
    let mut readings = LogReadings::new(log, watched.artifact.as_ref(), named.against(), &config, &labels);
    let rules = config.alerts.rules(&config.monitor)?;
    let mut found = Vec::new();
    for rule in &rules {
        found.push(replay(rule, &mut readings, (from, to), &periods)?);
    }
    if matches.get_flag("json") {
        screen::print_json(&json!({
            "model": watched.log.model(),
            "version": watched.version,
            "from": time::to_seconds(from),
            "to": time::to_seconds(to),
            "rules": found.iter().map(document).collect::<Vec<_>>(),
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    screen::print(&told(&found))?;
    Ok(ExitCode::SUCCESS)
}

/// A backtest with its times as text.
fn document(found: &Backtest) -> serde_json::Value {
    let mut json = json!(found);
    let text = |at: Option<Micros>| at.map(time::to_seconds);
    json["first"] = json!(text(found.first));
    json["hours_in_alarm"] = json!(found.duration as f64 / 3.6e9);
    if let Some(object) = json.as_object_mut() {
        object.remove("duration");
    }
    let alarm = |alarm: &tabwright_monitor::alert::Alarm| json!({"since": text(Some(alarm.since)), "fired": text(Some(alarm.fired)), "until": text(alarm.until)});
    json["alarms"] = found.alarms.iter().map(alarm).collect();
    let noticed = |noticed: &tabwright_monitor::alert::Noticed| {
        json!({
            "from": text(Some(noticed.from)),
            "to": text(Some(noticed.to)),
            "noticed": text(noticed.at),
            "hours_after": noticed.after.map(|after| after as f64 / 3.6e9),
            "already": noticed.already,
        })
    };
    json["drifted"] = found.drifted.iter().map(noticed).collect();
    json
}

fn told(found: &[Backtest]) -> String {
    let mut table = screen::table(&["rule", "windows", "unknown", "alarms", "in alarm", "first", "in quiet times"]);
    let mut lines = String::new();
    for rule in found {
        let percent = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), tabwright_report::text::percent);
        let quiet = rule.quiet.as_ref().map(|quiet| {
            format!("{} alarms; {} of {} windows broken", quiet.false_alarms, quiet.broken, quiet.windows)
        });
        let cells = vec![
            rule.rule.clone(),
            screen::count(rule.windows as usize),
            screen::count(rule.unknown as usize),
            screen::count(rule.fired as usize),
            percent(rule.share_in_alarm),
            rule.first.map_or_else(|| "–".to_owned(), time::to_seconds),
            quiet.unwrap_or_else(|| "–".to_owned()),
        ];
        screen::row(&mut table, cells);
        for noticed in &rule.drifted {
            let from = time::to_seconds(noticed.from);
            let after = noticed.after.map(|after| tabwright_report::text::number(after as f64 / 3.6e9));
            lines.push_str(&match after {
                Some(hours) if !noticed.already => {
                    format!("{}: what began at {from} was noticed after {hours} hours.\n", rule.rule)
                }
                Some(_) => format!("{}: the alarm was on already when {from} came.\n", rule.rule),
                None => format!("{}: what began at {from} was not noticed.\n", rule.rule),
            });
        }
    }
    format!("{table}\n{lines}")
}
