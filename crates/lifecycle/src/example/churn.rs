//! Customers of a telephone company, some of whom leave.
//!
//! What drives a customer away: monthly contracts in the first year, a price above what the plan is worth, repeated
//! support calls of the dissatisfied, paying late, and usage far from what the plan is for. The first four interact.

use tabwright_core::{Kind, numeric};

use super::Columns;
use super::draw::{Draw, rounded};

/// 2024-06-30, in days since 1970-01-01: the day on which the table was drawn up.
const TODAY: i64 = 19_904;

/// Moves the share of customers who leave to a quarter.
const INTERCEPT: f64 = -4.2;

/// How much louder than chance the reasons speak: the best models reach a ROC AUC of about 0.88.
const CLARITY: f64 = 1.25;

/// A row of the table.
#[derive(Debug)]
pub(super) struct Customer {
    id: String,
    signup_day: i64,
    plan: &'static str,
    contract: &'static str,
    payment_method: Option<&'static str>,
    tenure_months: i64,
    monthly_charge: f64,
    total_charge: Option<f64>,
    data_gb: Option<f64>,
    support_calls: i64,
    late_payments: i64,
    satisfaction: Option<i64>,
    country: &'static str,
    senior: bool,
    note: String,
    churned: bool,
}

const PLANS: [(&str, f64); 4] = [("basic", 0.34), ("standard", 0.38), ("premium", 0.22), ("family", 0.06)];
const CONTRACTS: [(&str, f64); 3] = [("month-to-month", 0.55), ("one year", 0.25), ("two years", 0.20)];
const PAYMENTS: [(&str, f64); 4] =
    [("bank transfer", 0.28), ("credit card", 0.34), ("direct debit", 0.22), ("mailed check", 0.16)];
const COUNTRIES: [(&str, f64); 11] = [
    ("Germany", 0.24),
    ("France", 0.20),
    ("Spain", 0.14),
    ("Italy", 0.12),
    ("Poland", 0.09),
    ("Austria", 0.07),
    ("Netherlands", 0.06),
    ("Belgium", 0.04),
    ("Portugal", 0.03),
    ("Luxembourg", 0.008),
    ("Malta", 0.002),
];

const OPENINGS: [&str; 14] = [
    "Customer called about",
    "Chat regarding",
    "Visited the shop because of",
    "Wrote twice about",
    "Asked a colleague about",
    "Follow-up on",
    "Left a message about",
    "Complained politely about",
    "Praised the team for",
    "Wanted to understand",
    "Reported again",
    "Confirmed by mail:",
    "Short call,",
    "Question on",
];
const SUBJECTS: [&str; 18] = [
    "the last invoice",
    "slow data in the evening",
    "a lost SIM card",
    "roaming abroad",
    "the new router",
    "a change of address",
    "the family discount",
    "dropped calls",
    "a second line",
    "the loyalty bonus",
    "voicemail",
    "the app on a tablet",
    "a wrong charge",
    "the price increase",
    "number portability",
    "parental controls",
    "an upgrade",
    "the end of the contract",
];
const CLOSINGS: [&str; 14] = [
    "solved at once",
    "promised a call back",
    "no action needed",
    "sent the \"welcome\" guide",
    "escalated to level 2",
    "customer was happy",
    "customer was annoyed",
    "refund granted",
    "waiting for parts",
    "offered a discount",
    "mentioned a competitor",
    "asked how to cancel",
    "will try again next week",
    "closed without answer",
];

impl Customer {
    pub(super) fn draw(draw: Draw) -> Self {
        let plan = draw.pick(1, &PLANS);
        let contract = draw.pick(2, &CONTRACTS);
        let payment = draw.pick(3, &PAYMENTS);
        // Many are new, and those with long contracts stay longer.
        let reach = if contract == "month-to-month" { 1.7 } else { 0.9 };
        let tenure_months = (72.0 * numeric::pow(draw.uniform(4), reach)) as i64;
        let senior = draw.chance(5, 0.17);
        let worth = match plan {
            "basic" => 19.0,
            "standard" => 39.0,
            "premium" => 69.0,
            _ => 85.0,
        };
        let monthly_charge = rounded(worth * (1.0 + 0.16 * draw.normal(6)) + draw.between(7, 0.0, 12.0), 2);
        let usual_data = worth * 0.8;
        let data_gb = usual_data * numeric::exp(0.55 * draw.normal(8));
        let satisfaction = (3.4 + 1.1 * draw.normal(9)).round().clamp(1.0, 5.0) as i64;
        let support_calls = draw.poisson(10, if satisfaction <= 2 { 2.6 } else { 1.1 });
        let late_payments = draw.poisson(11, if payment == "mailed check" { 1.5 } else { 0.5 });
        let (note, mood) = note(draw);
        let mut customer = Customer {
            id: format!("C{:07}", draw.identifier()),
            signup_day: TODAY - tenure_months * 30 - (tenure_months * 7) / 16 - draw.between(12, 0.0, 30.0) as i64,
            plan,
            contract,
            payment_method: Some(payment),
            tenure_months,
            monthly_charge,
            // Prices rose over the years, so the sum is somewhat below tenure times charge.
            total_charge: (tenure_months > 0)
                .then(|| rounded(tenure_months as f64 * monthly_charge * (1.0 - draw.between(13, 0.0, 0.12)), 2)),
            data_gb: Some(rounded(data_gb, 1)),
            support_calls,
            late_payments,
            satisfaction: Some(satisfaction),
            country: draw.pick(14, &COUNTRIES),
            senior,
            note,
            churned: false,
        };
        customer.churned = draw.chance(15, numeric::sigmoid(customer.log_odds(worth, usual_data, data_gb) + mood));
        // What the company does not know. Those who leave answer the survey less often.
        if draw.chance(16, if customer.churned { 0.45 } else { 0.30 }) {
            customer.satisfaction = None;
        }
        if draw.chance(17, 0.06) {
            customer.data_gb = None;
        }
        if draw.chance(18, 0.02) {
            customer.payment_method = None;
        }
        customer
    }

    /// The log-odds of leaving, the mood of the note apart.
    fn log_odds(&self, worth: f64, usual_data: f64, data_gb: f64) -> f64 {
        let monthly = self.contract == "month-to-month";
        let newness = numeric::exp(-(self.tenure_months as f64) / 14.0);
        let overpriced = (self.monthly_charge - worth) / worth - 0.2;
        let satisfaction = self.satisfaction.unwrap_or(3) as f64;
        let misfit = numeric::ln(data_gb / usual_data).abs();
        let mut z = if monthly { 0.9 + 2.6 * newness } else { 0.4 * newness };
        z += if monthly { 3.4 } else { 0.8 } * overpriced.clamp(-0.4, 0.8);
        z += if self.support_calls >= 3 && satisfaction <= 3.0 { 2.4 } else { 0.08 * self.support_calls as f64 };
        z += 0.55 * (3.4 - satisfaction);
        z += if self.senior { 0.9 } else { 0.35 } * self.late_payments as f64;
        z += 1.1 * (misfit - 0.4);
        z += match (self.plan, self.payment_method) {
            ("family", _) => -0.9,
            ("basic", Some("mailed check")) => 0.8,
            _ => 0.0,
        };
        z += if matches!(self.country, "Spain" | "Poland") { 0.35 } else { 0.0 };
        INTERCEPT + CLARITY * z
    }
}

/// What was noted at the last contact, and how much likelier it makes leaving (log-odds).
fn note(draw: Draw) -> (String, f64) {
    let (subject, closing) = (draw.one_of(20, &SUBJECTS), draw.one_of(21, &CLOSINGS));
    let opening = draw.one_of(22, &OPENINGS);
    let reference = draw.between(23, 100.0, 1_000.0) as u32;
    let text = match draw.pick(24, &[(0, 0.4), (1, 0.35), (2, 0.25)]) {
        0 => format!("{opening} {subject}, {closing}"),
        1 => format!("{opening} {subject} (ticket {reference}), {closing}"),
        _ => format!("{opening} {subject} and {}; {closing}", draw.one_of(25, &SUBJECTS)),
    };
    let mood = match closing {
        "asked how to cancel" => 1.2,
        "mentioned a competitor" => 0.8,
        "customer was annoyed" => 0.5,
        "customer was happy" | "solved at once" => -0.5,
        _ => 0.0,
    };
    (text, mood)
}

/// Puts the customers into columns.
pub(super) fn columns(rows: &[Customer], to: &mut Columns) {
    to.strings("customer_id", Kind::Categorical, rows.iter().map(|c| Some(&c.id)));
    to.date("signup_date", rows.iter().map(|c| c.signup_day));
    to.strings("plan", Kind::Categorical, rows.iter().map(|c| Some(c.plan)));
    to.strings("contract", Kind::Categorical, rows.iter().map(|c| Some(c.contract)));
    to.strings("payment_method", Kind::Categorical, rows.iter().map(|c| c.payment_method));
    to.integer("tenure_months", rows.iter().map(|c| Some(c.tenure_months)));
    to.float("monthly_charge", rows.iter().map(|c| Some(c.monthly_charge)));
    to.float("total_charge", rows.iter().map(|c| c.total_charge));
    to.float("data_gb", rows.iter().map(|c| c.data_gb));
    to.integer("support_calls", rows.iter().map(|c| Some(c.support_calls)));
    to.integer("late_payments", rows.iter().map(|c| Some(c.late_payments)));
    to.integer("satisfaction", rows.iter().map(|c| c.satisfaction));
    to.strings("country", Kind::Categorical, rows.iter().map(|c| Some(c.country)));
    to.boolean("senior", rows.iter().map(|c| c.senior));
    to.strings("last_note", Kind::Text, rows.iter().map(|c| Some(&c.note)));
    to.strings("churned", Kind::Categorical, rows.iter().map(|c| Some(if c.churned { "yes" } else { "no" })));
}
