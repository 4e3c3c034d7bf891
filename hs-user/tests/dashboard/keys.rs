//! What the keys do.

use hs_common::config::NS_PER_SEC;
use hs_mon::dashboard::{Dashboard, Wish};
use hs_mon::detect::{Kind, Phase};
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

use super::samples::*;
use super::scene::*;

fn key(dashboard: &mut Dashboard, code: KeyCode) -> Wish {
    dashboard.input(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

fn keys(dashboard: &mut Dashboard, text: &str) {
    for letter in text.chars() {
        assert_eq!(key(dashboard, KeyCode::Char(letter)), Wish::None, "{letter}");
    }
}

fn seen(dashboard: &Dashboard) -> String {
    screen(dashboard, 120, 24)
}

#[test]
fn q_and_control_c_end_the_watch() {
    let mut dashboard = peaceful(true);
    assert_eq!(key(&mut dashboard, KeyCode::Char('q')), Wish::Quit);
    let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    keys(&mut dashboard, "/");
    assert_eq!(dashboard.input(&Event::Key(control_c)), Wish::Quit);
    assert_eq!(dashboard.input(&Event::Resize(80, 24)), Wish::None);
    assert_eq!(key(&mut peaceful(true), KeyCode::Char('c')), Wish::Measure);
}

#[test]
fn a_pause_stops_the_list_and_counts_what_comes_meanwhile() {
    let mut dashboard = peaceful(true);
    keys(&mut dashboard, "p");
    let before = seen(&dashboard);
    dashboard.event(&malformed("198.18.7.7:7", "198.18.0.1:80", hs_common::Anomaly::Xmas), NOON, ETH0);
    assert!(!seen(&dashboard).contains("198.18.7.7"), "{before}");
    assert!(seen(&dashboard).contains("stopped, 1 more"), "{}", seen(&dashboard));
    keys(&mut dashboard, "p");
    assert!(seen(&dashboard).contains("… 1 more while the list stood still"), "{}", seen(&dashboard));
    dashboard.event(&malformed("198.18.7.7:7", "198.18.0.1:80", hs_common::Anomaly::Xmas), NOON, ETH0);
    assert!(seen(&dashboard).contains("198.18.7.7"), "{}", seen(&dashboard));
}

#[test]
fn a_filter_shows_lines_that_hold_a_text_and_a_q_in_it_ends_nothing() {
    let mut dashboard = peaceful(true);
    keys(&mut dashboard, "/q");
    key(&mut dashboard, KeyCode::Backspace);
    keys(&mut dashboard, "HALF-open");
    assert!(seen(&dashboard).contains("only lines with: HALF-open▏"), "{}", seen(&dashboard));
    key(&mut dashboard, KeyCode::Enter);
    let screen = seen(&dashboard);
    assert!(screen.contains("only with “HALF-open”") && screen.contains("198.18.0.9:1024"), "{screen}");
    assert!(!screen.contains("completed   198"), "{screen}");
    key(&mut dashboard, KeyCode::Esc);
    assert!(seen(&dashboard).contains("completed   198"), "{}", seen(&dashboard));
}

#[test]
fn the_list_can_be_scrolled_to_its_ends() {
    let mut dashboard = peaceful(true);
    let newest = seen(&dashboard);
    key(&mut dashboard, KeyCode::Up);
    assert!(!seen(&dashboard).contains("is gone"), "the newest line has moved out:\n{}", seen(&dashboard));
    (0..200).for_each(|_| assert_eq!(key(&mut dashboard, KeyCode::PageUp), Wish::None));
    let oldest = seen(&dashboard);
    assert!(oldest.contains("12:00:00.000000"), "{oldest}");
    key(&mut dashboard, KeyCode::End);
    assert_eq!(seen(&dashboard), newest);
}

#[test]
fn help_names_every_key_and_goes_at_the_next_one() {
    let mut dashboard = peaceful(true);
    let before = seen(&dashboard);
    keys(&mut dashboard, "?");
    let help = screen(&dashboard, 80, 24);
    for name in ["q, Ctrl-C", "p, space", "Esc", "End", "once c measures it"] {
        assert!(help.contains(name), "{name} in\n{help}");
    }
    keys(&mut dashboard, "?");
    assert_eq!(seen(&dashboard), before);
}

/// What a flood leaves comes by the thousand; what is looked for are the others.
#[test]
fn what_a_flood_leaves_takes_no_place_from_the_other_lines() {
    let mut dashboard = flooded(true);
    (0..100_000).for_each(|_| dashboard.event(&half_open(), NOON + 60 * NS_PER_SEC, ETH0));
    keys(&mut dashboard, "/syn flood");
    let screen = seen(&dashboard);
    assert!(screen.contains("▲ SYN FLOOD #1 on 198.18.0.1:443  begins"), "{screen}");
    key(&mut dashboard, KeyCode::Esc);
    keys(&mut dashboard, "/completed ");
    assert_eq!(seen(&dashboard).matches("completed   198.18.0.7").count(), 7, "{}", seen(&dashboard));
}

#[test]
fn alerts_that_come_while_the_list_stands_still_are_in_it_afterwards() {
    let mut dashboard = peaceful(true);
    keys(&mut dashboard, "p");
    dashboard.event(&half_open(), NOON + 60 * NS_PER_SEC, ETH0);
    dashboard.alert(&alert(Phase::Start, Kind::Spoofed), NOON + 61 * NS_PER_SEC);
    let screen = seen(&dashboard);
    assert!(
        screen.contains("stopped, 2 more") && !screen.contains("#1 on 198.18.0.1:443  begins"),
        "{screen}"
    );
    keys(&mut dashboard, "p");
    let screen = seen(&dashboard);
    let (_, since) = screen.split_once("… 1 more while the list stood still").expect("a gap");
    assert!(since.contains("#1 on 198.18.0.1:443  begins"), "{screen}");
}

/// Far more than is kept.
#[test]
fn the_list_keeps_the_last_thousand() {
    let mut dashboard = empty(true);
    (0..100_000_u64).for_each(|number| dashboard.event(&completed(), NOON + number * 1000, ETH0));
    (0..200).for_each(|_| assert_eq!(key(&mut dashboard, KeyCode::PageUp), Wish::None));
    assert!(seen(&dashboard).contains("12:00:00.099000"), "{}", seen(&dashboard));
}
