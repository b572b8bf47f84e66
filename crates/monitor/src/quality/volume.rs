//! Gaps in the volume: hours in which far fewer entries came than such hours usually have.
//!
//! What an hour usually has is the median of the same hour (of UTC) on the other days of the window; if there are other days that are
//! the same day of the week, no more than the median of those. So neither nights nor weekends that are always quiet are gaps. An hour
//! is a gap if it has less than a quarter of that, and if so few would come by chance (Poisson) in less than 1% of all
//! windows. Where a window has fewer than three days, an hour is a gap if it has no entry at all though many came in the hours
//! around it. A log that begins within the window has no gap before its first entry.

use serde::Serialize;

use crate::error::{Error, Result};
use crate::test::poisson_at_most;

/// An hour in microseconds.
const HOUR: i64 = 3_600_000_000;

/// Hours of a day, and of a week.
const DAY_HOURS: usize = 24;
const WEEK_HOURS: usize = 7 * DAY_HOURS;

/// Hours of a window at most: more than a year.
const MOST_HOURS: i64 = 10_000;

/// Share of the usual entries below which there are far fewer.
const FAR_FEWER: f64 = 0.25;

/// How often a window without a gap may show one, all its hours together.
const FALSE_ALARMS: f64 = 0.01;

/// Other days that must have the same hour before they say what is usual.
const LEAST_DAYS: usize = 2;

/// Hours one after the other in which far fewer entries came than usual.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct VolumeGap {
    /// Its begin, in microseconds since 1970.
    pub from: i64,
    /// Its end, which is no longer part of it.
    pub to: i64,
    /// Entries that came.
    pub entries: u64,
    /// Entries that such hours usually have.
    pub usual: f64,
}

/// An hour of the window, or the part of it that the window has.
#[derive(Debug, Clone, Copy)]
struct Hour {
    from: i64,
    to: i64,
    entries: u64,
}

impl Hour {
    fn share(&self) -> f64 {
        (self.to - self.from) as f64 / HOUR as f64
    }

    /// Entries that a whole hour of that kind would have.
    fn rate(&self) -> f64 {
        self.entries as f64 / self.share()
    }
}

/// Finds the gaps among the entries of a window, which ends before `to`. Times outside of the window are not looked at.
///
/// # Errors
/// [`Error::Core`] for a window of more than 10,000 hours.
pub fn volume_gaps(times: &[i64], from: i64, to: i64) -> Result<Vec<VolumeGap>> {
    let within = || times.iter().copied().filter(|t| (from..to).contains(t));
    let Some(begin) = within().min() else { return Ok(Vec::new()) };
    let (first, last) = (begin.div_euclid(HOUR), (to - 1).div_euclid(HOUR));
    if last - first >= MOST_HOURS {
        let (found, allowed) = (format!("{} hours", last - first + 1), format!("at most {MOST_HOURS} hours"));
        return Err(Error::Core(tabwright_core::Error::Parameter { parameter: "window", found, allowed }));
    }
    let mut hours: Vec<Hour> = (first..=last)
        .map(|number| {
            let start = number.saturating_mul(HOUR);
            Hour { from: start.max(begin), to: start.saturating_add(HOUR).min(to), entries: 0 }
        })
        .collect();
    for time in within() {
        hours[(time.div_euclid(HOUR) - first) as usize].entries += 1;
    }
    let level = FALSE_ALARMS / hours.len() as f64;
    let mut gaps: Vec<VolumeGap> = Vec::new();
    for at in 0..hours.len() {
        let (hour, usual) = (hours[at], usual(&hours, at) * hours[at].share());
        let is_gap = (hour.entries as f64) < FAR_FEWER * usual && poisson_at_most(hour.entries, usual) < level;
        if !is_gap {
            continue;
        }
        match gaps.last_mut() {
            Some(gap) if gap.to == hour.from => {
                gap.to = hour.to;
                gap.entries += hour.entries;
                gap.usual += usual;
            }
            _ => gaps.push(VolumeGap { from: hour.from, to: hour.to, entries: hour.entries, usual }),
        }
    }
    Ok(gaps)
}

/// What a whole hour like this one usually has.
fn usual(hours: &[Hour], at: usize) -> f64 {
    let others = |apart: usize| -> Vec<f64> {
        let alike = (at % apart..hours.len()).step_by(apart);
        alike.filter(|&other| other != at).map(|other| hours[other].rate()).collect()
    };
    let by_day = others(DAY_HOURS);
    if by_day.len() < LEAST_DAYS {
        return around(hours, at);
    }
    let by_week = others(WEEK_HOURS);
    let usual = median(by_day);
    if by_week.is_empty() { usual } else { usual.min(median(by_week)) }
}

/// What an hour without an entry might have had: no more than the nearest hours before and after it that have entries. Where none
/// follows the log has stopped, and the median of all hours stands for it. Nothing where there are entries.
fn around(hours: &[Hour], at: usize) -> f64 {
    if hours[at].entries > 0 {
        return 0.0;
    }
    let busy = |hour: &&Hour| hour.entries > 0;
    let before = hours[..at].iter().rev().find(busy).map_or(0.0, Hour::rate);
    let after = hours[at..].iter().find(busy).map(Hour::rate);
    before.min(after.unwrap_or_else(|| median(hours.iter().map(Hour::rate).collect())))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    tabwright_core::numeric::quantile(&values, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tabwright_core::random::{Keyed, Purpose};

    /// Times of a stream: so many entries in each hour as `rate` says on average, in any order.
    fn stream(seed: u64, hours: i64, rate: impl Fn(i64) -> f64) -> Vec<i64> {
        let keyed = Keyed::new(seed, Purpose::Example);
        let mut times = Vec::new();
        for hour in 0..hours {
            // A sum of a thousand rare events is Poisson enough.
            let of_hour = keyed.child(hour as u64);
            for i in 0..1_000 {
                if of_hour.uniform(i) < rate(hour) / 1_000.0 {
                    times.push(hour * HOUR + (of_hour.child(1).uniform(i) * HOUR as f64) as i64);
                }
            }
        }
        times.reverse();
        times
    }

    /// Busy at noon, quiet at night; half as busy on two days of seven.
    fn season(hour: i64) -> f64 {
        let of_day = [2.0, 1.0, 0.5, 0.5, 1.0, 5.0, 30.0, 80.0, 120.0, 150.0, 160.0, 170.0];
        let at = hour % 24;
        let weekend = if hour / 24 % 7 >= 5 { 0.5 } else { 1.0 };
        weekend * of_day[if at < 12 { at } else { 23 - at } as usize]
    }

    #[test]
    fn quiet_nights_and_weekends_are_no_gaps() {
        let mut found = 0;
        for seed in 0..60 {
            for days in [1, 2, 4, 14] {
                found += volume_gaps(&stream(seed, days * 24, season), 0, days * 24 * HOUR).unwrap().len();
            }
        }
        assert!(found <= 3, "{found} gaps in 240 quiet windows, of which 1% may have one");
    }

    #[test]
    fn hours_that_are_missing_or_nearly_empty_are_found() {
        let of_days = |days: i64, gone: std::ops::Range<i64>, left: f64| {
            let rate = |hour| if gone.contains(&hour) { left * season(hour) } else { season(hour) };
            volume_gaps(&stream(9, days * 24, rate), 0, days * 24 * HOUR).unwrap()
        };
        for (days, gone, left) in [(7, 82..86, 0.0), (7, 82..86, 0.05), (2, 34..37, 0.0), (1, 10..12, 0.0)] {
            let gaps = of_days(days, gone.clone(), left);
            let [gap] = gaps[..] else { panic!("{days} days: {gaps:?}") };
            assert_eq!((gap.from, gap.to), (gone.start * HOUR, gone.end * HOUR));
            assert!(gap.usual > 100.0 && gap.entries as f64 <= 0.1 * gap.usual, "{gap:?}");
        }
        // A third less is no gap, and nor is a day that is half as busy.
        assert!(of_days(7, 82..86, 0.66).is_empty() && of_days(7, 24..48, 0.5).is_empty());
        // The same hours of a night are no gap: nobody would have come.
        assert!(of_days(7, 74..76, 0.0).is_empty());
    }

    #[test]
    fn a_log_that_begins_later_has_no_gap_before_and_one_that_stops_has_one() {
        let times: Vec<i64> = stream(3, 96, season).into_iter().filter(|t| *t >= 34 * HOUR + HOUR / 2).collect();
        assert_eq!(volume_gaps(&times, 0, 96 * HOUR).unwrap(), []);
        let gaps = volume_gaps(&times, 0, 96 * HOUR + 14 * HOUR + HOUR / 3).unwrap();
        let last = gaps.last().unwrap();
        assert!(last.to == 110 * HOUR + HOUR / 3 && last.from >= 102 * HOUR, "{gaps:?}");
    }

    #[test]
    fn odd_windows_are_defined() {
        for times in [vec![], vec![5], vec![i64::MIN, 7, i64::MAX]] {
            for (from, to) in [(0, 0), (0, 10), (10, 0), (0, 30 * HOUR)] {
                assert_eq!(volume_gaps(&times, from, to).unwrap(), []);
            }
        }
        let error = volume_gaps(&[i64::MIN, i64::MAX - 1], i64::MIN, i64::MAX).unwrap_err().to_string();
        assert!(error.contains("at most 10000 hours"), "{error}");
    }
}
