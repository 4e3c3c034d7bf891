//! What sensitivity costs: the same attacks and the same peace, with everything that the detector asks for taken
//! so many times.

use hs_mon::detect::{Sensitivity, Settings};

use crate::table::{Goal, Measured, Row, median, worst};
use crate::{peaceful, scenarios};

/// What is asked for, as multiples of the default.
pub const FACTORS: [f64; 8] = [0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0];

/// One point of the curve.
pub struct Point {
    pub factor: f64,
    attacks: Vec<Measured>,
    everyday: Peace,
    bad_days: Peace,
}

/// Traffic without attacks.
struct Peace {
    false_alarms: usize,
    hours: f64,
}

impl Peace {
    fn of(rows: &[Row], seeds: u64, settings: &Settings) -> Peace {
        let false_alarms = rows.iter().flat_map(|row| row.measure(seeds, settings, false).false_alarms).sum();
        let hours = rows.iter().map(Row::seconds).sum::<f64>() * seeds as f64 / 3600.0;
        Peace { false_alarms, hours }
    }

    fn text(&self) -> String {
        match self.false_alarms {
            0 => format!("0 in {:.1}", self.hours),
            count => format!("{:.1} an hour", count as f64 / self.hours),
        }
    }
}

impl Point {
    pub fn measure(factor: f64, seeds: u64, full: bool) -> Point {
        let settings = Settings::default().scaled(factor);
        let attacks = [scenarios::fast_flood, scenarios::slow_flood_on_service, scenarios::quiet_service]
            .map(|scenario| Row::new(scenario, Goal::Silence).measure(seeds, &settings, false));
        let long = if full { 1_200 } else { 60 };
        let everyday = [
            Row::new(move |seed| peaceful::mixed(seed, long), Goal::Silence),
            Row::new(peaceful::gateway, Goal::Silence),
        ];
        let bad_days = [
            Row::new(peaceful::flash_crowd, Goal::Silence),
            Row::new(peaceful::restart, Goal::Silence),
            Row::new(peaceful::lossy, Goal::Silence),
            Row::new(peaceful::turns_lossy, Goal::Silence),
        ];
        let point = Point {
            factor,
            attacks: attacks.into(),
            everyday: Peace::of(&everyday, seeds, &settings),
            bad_days: Peace::of(&bad_days, seeds, &settings),
        };
        point.print(&settings, seeds);
        point
    }

    /// Whether every attack is flagged as late as at the other point, or later.
    pub fn is_later(&self, other: &Point) -> bool {
        let pairs = self.attacks.iter().zip(&other.attacks);
        pairs.into_iter().all(|(own, other)| {
            own.delays.len() < other.delays.len() || median(&own.delays) >= median(&other.delays)
        })
    }

    pub fn false_alarms(&self) -> usize {
        self.everyday.false_alarms + self.bad_days.false_alarms
    }

    fn print(&self, settings: &Settings, seeds: u64) {
        let Settings { floor, burst, slow_floor, backlog, .. } = settings;
        let delays: String = self.attacks.iter().map(|attack| cell(&attack.delays, seeds)).collect();
        println!(
            "| {} | {burst} over {floor}/s, {backlog} over {slow_floor}/s |{delays} {} | {} |",
            name(settings, self.factor),
            self.everyday.text(),
            self.bad_days.text()
        );
    }
}

fn cell(delays: &[f64], seeds: u64) -> String {
    let times = format!("{:.2} / {:.2}", median(delays), worst(delays));
    match delays.len() as u64 {
        0 => " never |".to_owned(),
        found if found < seeds => format!(" {times} in {found}/{seeds} |"),
        _ => format!(" {times} |"),
    }
}

fn name(settings: &Settings, factor: f64) -> String {
    for (sensitivity, name) in
        [(Sensitivity::Low, "low"), (Sensitivity::Medium, "medium"), (Sensitivity::High, "high")]
    {
        if *settings == Settings::new(sensitivity) {
            return format!("**{name}**, × {factor}");
        }
    }
    format!("× {factor}")
}

pub fn print_head() {
    println!(
        "| sensitivity | handshakes that are an alarm | 5,000/s and more, on 100/s | 200/s, on 100/s | 10/s, quiet service | false alarms, everyday traffic | false alarms, bad days |"
    );
    println!("|---|---|---|---|---|---|---|");
}
