//! What the screen looks like: beside this file are the screens as they should be.

use std::fs;
use std::path::Path;

use hs_mon::detect::{Alert, Kind, Phase};
use ratatui::style::Color;

use super::samples::*;
use super::scene::*;

/// Set to anything, it writes the screens instead of comparing them.
const BLESS: &str = "HS_MON_BLESS";

fn is_as_before(name: &str, screen: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/dashboard/{name}.txt"));
    if std::env::var_os(BLESS).is_some() {
        fs::write(&path, screen).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        screen == expected,
        "{name} looks like this now; if it should, run again with {BLESS}=1:\n{screen}"
    );
}

#[test]
fn screens_are_as_before() {
    is_as_before("peace-80x24", &screen(&peaceful(true), 80, 24));
    is_as_before("flood-80x24", &screen(&flooded(true), 80, 24));
    is_as_before("flood-by-few-120x40", &screen(&flooded_by_few(true), 120, 40));
    is_as_before("smallest-60x18", &screen(&flooded(true), 60, 18));
    is_as_before("too-small-40x10", &screen(&flooded(true), 40, 10));
    is_as_before("nothing-seen-80x24", &screen(&empty(true), 80, 24));
}

/// Whoever looks for the first time finds: that there is a flood, on whom, how much completes.
#[test]
fn a_flood_is_told_at_the_top() {
    let screen = screen(&flooded(true), 80, 24);
    let second = screen.lines().nth(1).unwrap();
    for part in ["▲ SYN FLOOD on 198.18.0.1:443", "5,012 SYN/s", "0.2 % completed"] {
        assert!(second.contains(part), "{part} in {second}");
    }
    // And it is the first of the responders, once.
    let responders: Vec<&str> =
        screen.lines().skip_while(|line| !line.starts_with(" Responders")).skip(1).take(4).collect();
    assert!(responders[0].starts_with(" 198.18.0.1:443 ") && responders[0].contains("FLOOD"), "{screen}");
    assert!(!responders[1..].iter().any(|line| line.starts_with(" 198.18.0.1:443 ")), "{screen}");
}

#[test]
fn of_several_floods_the_number_is_told_and_the_sources_of_each() {
    let mut dashboard = flooded(true);
    let victim = target("2001:2::1", Some(443), None);
    let other = Alert { id: 2, victim, syn_rate: 900.0, ..alert(Phase::Start, Kind::Distributed) };
    dashboard.alert(&other, NOON);
    let screen = screen(&dashboard, 80, 24);
    let second = screen.lines().nth(1).unwrap();
    assert!(second.starts_with(" ▲ SYN FLOOD on 198.18.0.1:443 (and 1 more)  5,012 SYN/s"), "{second}");
    for part in ["~4,900, spoofed", " on [2001:2::1]:443:", "97.1 % 198.18.0.9"] {
        assert!(screen.contains(part), "{part} in\n{screen}");
    }
}

#[test]
fn without_colour_there_is_none_and_alarms_are_seen_all_the_same() {
    for dashboard in [peaceful(false), flooded(false), flooded_by_few(false)] {
        let buffer = drawn(&dashboard, 80, 24);
        let coloured =
            buffer.content.iter().filter(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset);
        assert_eq!(coloured.count(), 0);
    }
    assert_eq!(screen(&flooded(false), 80, 24), screen(&flooded(true), 80, 24));
    let alarm = drawn(&flooded(false), 80, 24).content[85].modifier;
    assert!(alarm.contains(ratatui::style::Modifier::REVERSED));
    assert_eq!(drawn(&flooded(true), 80, 24).content[85].bg, Color::Red);
}

#[test]
fn every_size_can_be_drawn() {
    let dashboard = flooded_by_few(true);
    for width in [1, 2, 10, 59, 60, 61, 79, 100, 200, 400] {
        for height in [1, 2, 5, 17, 18, 19, 23, 25, 50, 120] {
            drawn(&dashboard, width, height);
        }
    }
}

/// The name of an interface is another's choice. What reaches the screen are letters.
#[test]
fn no_control_character_reaches_the_screen() {
    for dashboard in [peaceful(true), flooded(true)] {
        let screen = screen(&dashboard, 200, 60);
        assert!(!screen.chars().any(|letter| letter != '\n' && letter.is_control()), "{screen}");
        assert!(screen.contains("a\\u{1b}[2J"), "{screen}");
    }
}
