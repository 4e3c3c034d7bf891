//! The figures as Markdown, for people and for docs/performance.md.

use crate::course::target;
use crate::measure::Measured;

/// A table of one hook and family, with its heading.
pub fn one_core(title: &str, rows: &[&Measured]) -> String {
    let harness = rows.first().map_or(0.0, |row| row.harness().median);
    let mut text = format!(
        "\n### {title}\n\nNanoseconds, net of the empty program behind the shuffler ({harness:.0} ns).\n\n\
         | packet | parse and count | LRU lookup | LRU update | **hs-mon** | p99 | over parse and count | of the LRU |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|\n"
    );
    for row in rows {
        let (subject, count) = (row.net(target::HS_MON), row.net(target::COUNT));
        let ordinary = row.net(row.row.ordinary);
        text += &format!(
            "| {} | {:.0} | {:.0} | {:.0} | **{:.0}** | {:.0} | {:+.0} | {:.2} |\n",
            row.row.name,
            count.median,
            row.net(target::LOOKUP).median,
            row.net(target::UPDATE).median,
            subject.median,
            subject.p99,
            subject.median - count.median,
            subject.median / ordinary.median.max(1.0),
        );
    }
    text
}

/// How much more all cores do than one.
pub fn all_cores(title: &str, pairs: &[(&Measured, &Measured)]) -> String {
    let cores = pairs.first().map_or(0, |(_, all)| all.cores);
    let mut text = format!(
        "\n### {title}\n\n\
         | packet | hs-mon, one core | hs-mon, {cores} cores | throughput | LRU, one core | LRU, {cores} cores | throughput |\n\
         |---|--:|--:|--:|--:|--:|--:|\n"
    );
    for (one, all) in pairs {
        let of = |subject: u32| {
            let (one, all) = (one.net(subject).median, all.net(subject).median);
            format!("{one:.0} | {all:.0} | {:.2} ×", cores as f64 * one / all.max(1.0))
        };
        text += &format!("| {} | {} | {} |\n", one.row.name, of(target::HS_MON), of(one.row.ordinary));
    }
    text
}
