//! What the anomalies mean, from the table in `hs_common`.

use std::io::{self, Write};

use hs_common::Anomaly;

/// How many names are offered in place of an unknown one.
const OFFERED: usize = 3;

/// Writes meaning, source and example of one anomaly, or a table of all.
///
/// # Errors
/// Those of `out`.
pub fn explain(anomaly: Option<Anomaly>, out: &mut impl Write) -> io::Result<()> {
    match anomaly {
        Some(anomaly) => explain_one(anomaly, out),
        None => Anomaly::ALL.iter().try_for_each(|anomaly| list_one(*anomaly, out)),
    }
}

fn explain_one(anomaly: Anomaly, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}: {}", anomaly.name(), anomaly.meaning())?;
    writeln!(out, "\nSource   {}", anomaly.source())?;
    for (index, packet) in anomaly.example().split("; ").enumerate() {
        writeln!(out, "{}  {packet}", if index == 0 { "Example" } else { "       " })?;
    }
    writeln!(out, "\nI: initiator, R: responder; A and B: their initial sequence numbers.")
}

fn list_one(anomaly: Anomaly, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{:<27}{}", anomaly.name(), anomaly.meaning())?;
    writeln!(out, "{:<27}{}", "", anomaly.source())
}

/// Writes the table as it stands in docs/anomalies.md, which a test holds against it.
///
/// # Errors
/// Those of `out`.
pub fn anomalies_markdown(out: &mut impl Write) -> io::Result<()> {
    for anomaly in Anomaly::ALL {
        writeln!(out, "## `{}`\n\n{}.\n", anomaly.name(), anomaly.meaning())?;
        writeln!(out, "Source: {}.\n\n```text", anomaly.source())?;
        anomaly.example().split("; ").try_for_each(|packet| writeln!(out, "{packet}"))?;
        writeln!(out, "```\n")?;
    }
    Ok(())
}

/// The anomaly of this name; `-` may stand for `_`.
pub fn parse_anomaly(text: &str) -> Result<Anomaly, String> {
    let name = text.replace('-', "_").to_ascii_lowercase();
    Anomaly::from_name(&name).ok_or_else(|| {
        let names = nearest(&name).map(Anomaly::name).join(", ");
        format!("no such anomaly; the nearest: {names} (`hs-mon explain` lists all)")
    })
}

fn nearest(name: &str) -> [Anomaly; OFFERED] {
    let mut all: Vec<Anomaly> = Anomaly::ALL.to_vec();
    // A name that begins as the user began is what was meant, however long its end.
    all.sort_by_key(|anomaly| (!anomaly.name().starts_with(name), distance(name, anomaly.name())));
    [all[0], all[1], all[2]]
}

/// The edit distance of Levenshtein: insertions, deletions and substitutions of one letter.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(letter != other);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        assert_eq!(parse_anomaly("synack-wrong-ack"), Ok(Anomaly::SynackWrongAck));
        assert!(parse_anomaly("syn_fn").unwrap_err().contains("nearest: syn_fin"));
        assert!(parse_anomaly("xmass").unwrap_err().contains("nearest: xmas"));
        assert!(parse_anomaly("window").unwrap_err().contains("nearest: window_scale_out_of_range"));
    }

    #[test]
    fn distances_count_edits() {
        for (a, b, edits) in [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("abc", "abc", 0)] {
            assert_eq!(distance(a, b), edits, "{a} {b}");
        }
    }

    #[test]
    fn one_anomaly_is_explained_with_its_example_packet_by_packet() {
        let mut out = Vec::new();
        explain(Some(Anomaly::SynackWrongAck), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("synack_wrong_ack: "));
        assert!(
            text.contains("\nSource   RFC 9293 3.10.7.3\nExample  I > R  SYN seq=A\n         R > I  SYN-ACK")
        );
    }

    #[test]
    fn the_table_holds_all() {
        let mut out = Vec::new();
        explain(None, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(Anomaly::ALL.iter().all(|anomaly| text.contains(anomaly.meaning())));
    }
}
