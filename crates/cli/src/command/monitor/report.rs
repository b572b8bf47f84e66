//! `tabwright monitor report`.

use std::process::ExitCode;

use clap::ArgMatches;
use serde_json::json;
use tabwright_lifecycle::alert::{AlertRun, Status};
use tabwright_lifecycle::error::{Error, Exit};
use tabwright_lifecycle::monitor::report::{ReportRequest, report};
use tabwright_store::time;

use super::{Default, Named, Watched, period};
use crate::command::{configuration, give_report, report_output, texts};
use crate::error::Failure;

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let output = report_output(matches)?;
    let config = configuration(matches, true)?;
    let watched = Watched::find(matches, &config, Default::Logged)?;
    let now = time::now();
    let (from, to) = period::of(matches, now)?;
    let named = Named::read(matches, &config, to)?;
    let slice_by = texts(matches, "slice");
    let request = ReportRequest {
        slice_by: &slice_by,
        whole: matches.get_flag("whole"),
        artifact: watched.artifact.as_ref(),
        against: named.against(),
        ..ReportRequest::new(&watched.log, &watched.version, (from, to), &config)
    };
    let labels = watched.log.labels(i64::MAX).map_err(Error::from)?;
    let rules = config.alerts.rules(&config.monitor)?;
    let alerts = AlertRun::standing(watched.log.folder(), watched.log.model(), &rules)?;
    let report = report(&request, &labels, alerts)?;
    let document = report.document();
    give_report(matches, output, &document, json!(report))?;
    let is_bad = report.drift.as_ref().is_some_and(|drift| drift.drift)
        || report.alerts.iter().any(|alert| alert.status == Status::Firing);
    Ok(if matches.get_flag("gate") && is_bad { ExitCode::from(Exit::Verdict as u8) } else { ExitCode::SUCCESS })
}
