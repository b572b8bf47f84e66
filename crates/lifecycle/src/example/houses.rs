//! Homes that were sold, and for how much.
//!
//! What makes a price: area times what a square metre costs in the district, less with distance (more so in large
//! cities), age (old houses gain again), condition that counts for more in old homes, gardens that count for more near the
//! centre, and a market that rises over the years.

use tabwright_core::{Kind, numeric};

use super::Columns;
use super::draw::{Draw, rounded};

/// 2022-01-01, in days since 1970-01-01: the first sale.
const FIRST_DAY: i64 = 18_993;
/// Days over which homes were sold.
const DAYS: f64 = 900.0;
/// Standard deviation of what no column explains, on the log scale.
const NOISE: f64 = 0.16;

/// A row of the table.
#[derive(Debug)]
pub(super) struct Home {
    id: String,
    sold_day: i64,
    city: &'static str,
    district: String,
    home_type: &'static str,
    floor_area: f64,
    rooms: i64,
    bathrooms: i64,
    floor: Option<i64>,
    garden: Option<f64>,
    year_built: Option<i64>,
    condition: Option<&'static str>,
    energy_label: Option<&'static str>,
    distance: f64,
    parking: bool,
    description: String,
    price: f64,
}

/// A city's share, the price of a square metre in its centre, and how fast it falls per kilometre.
const CITIES: [(&str, f64, f64, f64); 6] = [
    ("Port Alder", 0.30, 6_200.0, 0.055),
    ("Millbrook", 0.22, 3_900.0, 0.040),
    ("Harrow Bay", 0.18, 5_100.0, 0.030),
    ("Eastleigh", 0.14, 3_300.0, 0.045),
    ("Stonefield", 0.10, 2_600.0, 0.020),
    ("Kettering Falls", 0.06, 2_200.0, 0.015),
];
const DISTRICTS: [&str; 12] = [
    "Old Town",
    "Riverside",
    "Station Quarter",
    "Garden Hill",
    "North End",
    "Docklands",
    "University",
    "Market Square",
    "West Park",
    "Mill Lane",
    "Sunny Bank",
    "Airport",
];
const TYPES: [(&str, f64); 4] = [("apartment", 0.52), ("terraced", 0.24), ("semi-detached", 0.14), ("detached", 0.10)];
const CONDITIONS: [(&str, f64); 4] = [("poor", 0.08), ("fair", 0.27), ("good", 0.47), ("excellent", 0.18)];
const LABELS: [&str; 7] = ["A", "B", "C", "D", "E", "F", "G"];

const ADJECTIVES: [&str; 12] = [
    "Charming",
    "Bright",
    "Spacious",
    "Modern",
    "Quiet",
    "Well-kept",
    "Unique",
    "Practical",
    "Elegant",
    "Sunny",
    "Renovated",
    "Cosy",
];
const EXTRAS: [&str; 14] = [
    "with a new kitchen",
    "with views over the river",
    "close to schools",
    "near the tram",
    "with a large cellar",
    "with original floors",
    "needing some work",
    "with underfloor heating",
    "on a busy road",
    "with a south terrace",
    "ready to move in",
    "with fibre internet",
    "with a wood stove",
    "and low running costs",
];
const HINTS: [&str; 10] = [
    "viewing by appointment",
    "no agents, please",
    "available at once",
    "tenant stays",
    "price is negotiable",
    "first time on the market",
    "\"a gem\", says the owner",
    "sold with furniture",
    "keys at the office",
    "quick sale wanted",
];

impl Home {
    pub(super) fn draw(draw: Draw) -> Self {
        let (city, price_per_metre, decay) =
            draw.pick(1, &CITIES.map(|(name, share, price, fall)| ((name, price, fall), share)));
        let district = draw.one_of(2, &DISTRICTS);
        let home_type = draw.pick(3, &TYPES);
        let apartment = home_type == "apartment";
        let typical_area = match home_type {
            "apartment" => 68.0,
            "terraced" => 112.0,
            "semi-detached" => 132.0,
            _ => 175.0,
        };
        let floor_area = rounded(typical_area * numeric::exp(0.28 * draw.normal(4)), 1);
        let rooms = (floor_area / 27.0 + 0.7 * draw.normal(5)).round().clamp(1.0, 14.0);
        let distance =
            rounded((if apartment { 3.0 } else { 6.5 }) * numeric::exp(0.6 * draw.normal(6)), 2).clamp(0.2, 20.0);
        let year_built = (2022.0 - 150.0 * numeric::pow(draw.uniform(7), 1.6)) as i64;
        let condition = draw.pick(8, &CONDITIONS);
        let label = ((2022 - year_built) as f64 / 22.0 + 1.1 * draw.normal(9)).round().clamp(0.0, 6.0) as usize;
        let (description, taste) = description(draw, home_type);
        let mut home = Home {
            id: format!("H{:07}", draw.identifier()),
            sold_day: FIRST_DAY + (DAYS * draw.uniform(10)) as i64,
            city,
            district: format!("{city} {district}"),
            home_type,
            floor_area,
            rooms: rooms as i64,
            bathrooms: (rooms / 3.0 + 0.4 * draw.normal(11)).round().clamp(1.0, 5.0) as i64,
            floor: apartment.then(|| draw.poisson(12, 2.4)),
            garden: (!apartment).then(|| rounded(90.0 * numeric::exp(0.8 * draw.normal(13)), 0)),
            year_built: Some(year_built),
            condition: Some(condition),
            energy_label: Some(LABELS[label]),
            distance,
            parking: draw.chance(14, if apartment { 0.35 } else { 0.7 }),
            description,
            price: 0.0,
        };
        let log_price = numeric::ln(price_per_metre * floor_area) - decay * distance + home.worth(label) + taste;
        home.price = (numeric::exp(log_price + NOISE * draw.normal(15)) / 500.0).round() * 500.0;
        if draw.chance(16, 0.05) {
            home.year_built = None;
        }
        if draw.chance(17, 0.04) {
            home.condition = None;
        }
        // Old homes were labelled less often.
        if draw.chance(18, if year_built < 1960 { 0.22 } else { 0.06 }) {
            home.energy_label = None;
        }
        home
    }

    /// What makes the home dearer than its area and its place, on the log scale.
    fn worth(&self, label: usize) -> f64 {
        let age = (2022 - self.year_built.unwrap_or(2022)) as f64;
        let old = age > 60.0;
        let mut worth = if age > 100.0 { -0.06 } else { -0.0022 * age };
        worth += match self.condition {
            Some("poor") => {
                if old {
                    -0.34
                } else {
                    -0.16
                }
            }
            Some("fair") => {
                if old {
                    -0.14
                } else {
                    -0.07
                }
            }
            Some("excellent") => {
                if old {
                    0.18
                } else {
                    0.08
                }
            }
            _ => 0.0,
        };
        worth += match self.home_type {
            "detached" => 0.16,
            "semi-detached" => 0.06,
            _ => 0.0,
        };
        // A large garden is rare near the centre.
        worth += self.garden.map_or(0.0, |g| 0.0009 * g.clamp(0.0, 400.0) / (1.0 + 0.15 * self.distance));
        worth += self.floor.map_or(0.0, |f| if f == 0 { -0.06 } else { 0.012 * f.clamp(0, 8) as f64 });
        worth += 0.025 * (self.bathrooms - 1) as f64 - 0.016 * label as f64;
        worth += if self.parking { if self.distance < 3.0 { 0.09 } else { 0.03 } } else { 0.0 };
        worth += district_worth(&self.district);
        worth + 0.07 * (self.sold_day - FIRST_DAY) as f64 / 365.0
    }
}

/// A fixed premium or discount per district of a city, between −0.18 and 0.18.
fn district_worth(district: &str) -> f64 {
    let hash = tabwright_core::random::hash_bytes(1, district.as_bytes());
    (hash % 1_000) as f64 / 1_000.0 * 0.36 - 0.18
}

/// The text of the advertisement, and what it says about the price (log scale).
fn description(draw: Draw, home_type: &str) -> (String, f64) {
    let (adjective, extra, hint) = (draw.one_of(20, &ADJECTIVES), draw.one_of(21, &EXTRAS), draw.one_of(22, &HINTS));
    let noun = if home_type == "apartment" { home_type.to_owned() } else { format!("{home_type} house") };
    let text = match draw.pick(23, &[(0, 0.5), (1, 0.5)]) {
        0 => format!("{adjective} {noun} {extra}, {hint}"),
        _ => format!("{adjective} {noun} {extra} {}; {hint}", draw.one_of(24, &EXTRAS)),
    };
    let taste = match extra {
        "needing some work" | "on a busy road" => -0.06,
        "with views over the river" | "with a south terrace" => 0.06,
        _ => 0.0,
    };
    (text, taste)
}

/// Puts the homes into columns.
pub(super) fn columns(rows: &[Home], to: &mut Columns) {
    to.strings("listing_id", Kind::Categorical, rows.iter().map(|h| Some(&h.id)));
    to.date("sold_on", rows.iter().map(|h| h.sold_day));
    to.strings("city", Kind::Categorical, rows.iter().map(|h| Some(h.city)));
    to.strings("district", Kind::Categorical, rows.iter().map(|h| Some(&h.district)));
    to.strings("home_type", Kind::Categorical, rows.iter().map(|h| Some(h.home_type)));
    to.float("floor_area_m2", rows.iter().map(|h| Some(h.floor_area)));
    to.integer("rooms", rows.iter().map(|h| Some(h.rooms)));
    to.integer("bathrooms", rows.iter().map(|h| Some(h.bathrooms)));
    to.integer("floor", rows.iter().map(|h| h.floor));
    to.float("garden_m2", rows.iter().map(|h| h.garden));
    to.integer("year_built", rows.iter().map(|h| h.year_built));
    to.strings("condition", Kind::Categorical, rows.iter().map(|h| h.condition));
    to.strings("energy_label", Kind::Categorical, rows.iter().map(|h| h.energy_label));
    to.float("distance_to_centre_km", rows.iter().map(|h| Some(h.distance)));
    to.boolean("parking", rows.iter().map(|h| h.parking));
    to.strings("description", Kind::Text, rows.iter().map(|h| Some(&h.description)));
    to.integer("price", rows.iter().map(|h| Some(h.price as i64)));
}
