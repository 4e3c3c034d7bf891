//! Every metric: its name, its meaning, and where its value comes from. docs/metrics.md says the same.

use hs_common::{Anomaly, Counter, Outcome, Unparsed};
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;

use super::family::{counted, counter, counters, gauge, gauges, measured};
use super::{InterfaceState, Metrics, Scrape};
use crate::detect::Signature;
use crate::kernel::{Ingress, ProgramCost};
use crate::process;

/// The kernel's totals that have a metric of their own. Outcomes share one.
const TOTALS: [(Counter, &str, &str); 15] = [
    (Counter::Packets, "hsmon_packets_total", "Packets that passed a hook."),
    (Counter::TcpSegments, "hsmon_tcp_segments_total", "TCP segments among the packets."),
    (Counter::Filtered, "hsmon_tcp_segments_filtered_total", "TCP segments of ports that are not watched."),
    (Counter::Syn, "hsmon_syn_segments_total", "Segments with SYN and without ACK, repeated ones too."),
    (Counter::Synack, "hsmon_synack_segments_total", "Segments with SYN and ACK."),
    (Counter::Begun, "hsmon_handshakes_begun_total", "Handshakes begun."),
    (
        Counter::CompletedLate,
        "hsmon_handshakes_completed_late_total",
        "Handshakes that completed after they had been reported otherwise.",
    ),
    (Counter::EventsProduced, "hsmon_events_produced_total", "Events that were due."),
    (Counter::EventsLost, "hsmon_events_lost_total", "Events that found the ring buffer full."),
    (Counter::EventsSuppressed, "hsmon_events_suppressed_total", "Events left out under a flood, by budget."),
    (
        Counter::FlowsEvicted,
        "hsmon_flows_evicted_total",
        "Pending handshakes pushed out of the full flow table.",
    ),
    (
        Counter::FlowsContended,
        "hsmon_segments_contended_total",
        "Segments not tracked because another CPU held their flow.",
    ),
    (Counter::SynackUnmatched, "hsmon_synacks_unmatched_total", "SYN-ACKs whose SYN may have passed unseen."),
    (
        Counter::SynBeforeWatch,
        "hsmon_syns_before_watch_total",
        "SYNs that passed while hs-mon was attaching.",
    ),
    (
        Counter::SeenAgain,
        "hsmon_seen_again_total",
        "SYNs and SYN-ACKs seen at another interface just before: the same packets.",
    ),
];

impl Metrics {
    pub(super) fn families(&self, scrape: &Scrape) -> Vec<MetricFamily> {
        let mut families = self.totals();
        families.extend(self.handshakes());
        families.extend(self.alerts());
        families.extend(self.itself(scrape));
        // What has no samples is not told: victims without a flood, costs that the kernel does not measure.
        families.retain(|family| !family.get_metric().is_empty());
        families
    }

    fn totals(&self) -> Vec<MetricFamily> {
        let single =
            |(total, name, help): &(Counter, &str, &str)| counter(name, help, self.told.get(*total) as f64);
        let unparsed = |errors: bool| {
            let reasons = Unparsed::ALL.iter().filter(move |why| why.is_error() == errors);
            reasons.map(|why| counted(&[("reason", why.name())], self.told.unparsed(*why) as f64))
        };
        let anomalies = Anomaly::ALL.iter();
        let anomalies = anomalies.map(|it| counted(&[("anomaly", it.name())], self.told.anomaly(*it) as f64));
        let mut families: Vec<MetricFamily> = TOTALS.iter().map(single).collect();
        families.extend([
            counters("hsmon_parse_errors_total", "Broken packets.", unparsed(true)),
            counters("hsmon_packets_not_parsed_total", "Packets not looked into.", unparsed(false)),
            counters("hsmon_anomalies_total", "Violations of the handshake's rules.", anomalies),
        ]);
        families
    }

    fn handshakes(&self) -> Vec<MetricFamily> {
        let ended =
            |outcome: &Outcome| counted(&[("outcome", outcome.name())], self.told.outcome(*outcome) as f64);
        let mut rtt = self.rtt_synack.collect();
        rtt.iter_mut()
            .zip(self.rtt_ack.collect())
            .for_each(|(part, mut other)| part.mut_metric().append(other.mut_metric()));
        let mut families = vec![
            counters(
                "hsmon_handshakes_total",
                "Handshakes that ended, by outcome.",
                Outcome::ALL.iter().map(ended),
            ),
            gauge(
                "hsmon_handshakes_in_progress",
                "Handshakes without an outcome yet.",
                self.told.in_progress() as f64,
            ),
        ];
        families.append(&mut rtt);
        families
    }

    fn alerts(&self) -> Vec<MetricFamily> {
        let by_signature = |number: fn(&Metrics, Signature) -> u64| {
            Signature::ALL.map(|signature| (signature_label(signature), number(self, signature) as f64))
        };
        let begun = by_signature(|metrics, signature| metrics.alerts.begun(signature));
        let active = by_signature(|metrics, signature| metrics.alerts.active(signature));
        let floods = self.alerts.by_rate().into_iter().filter(|alert| alert.signature == Signature::SynFlood);
        let victims: Vec<(String, f64, f64)> = floods
            .take(self.victims)
            .map(|alert| (alert.victim.to_string(), alert.syn_rate, alert.completion_ratio))
            .collect();
        vec![
            counters(
                "hsmon_alerts_total",
                "Alarms that began.",
                begun.iter().map(|(name, number)| counted(&[("signature", name)], *number)),
            ),
            gauges(
                "hsmon_alerts_active",
                "Alarms that are open.",
                active.iter().map(|(name, number)| measured(&[("signature", name)], *number)),
            ),
            gauges(
                "hsmon_flood_syns_per_second",
                "SYNs a second to a victim of a flood.",
                victims.iter().map(|(victim, rate, _)| measured(&[("victim", victim)], *rate)),
            ),
            gauges(
                "hsmon_flood_completion_ratio",
                "Completed of the handshakes that a victim saw begin while flooded, 0 to 1.",
                victims.iter().map(|(victim, _, ratio)| measured(&[("victim", victim)], *ratio)),
            ),
        ]
    }

    fn itself(&self, scrape: &Scrape) -> Vec<MetricFamily> {
        let slots = scrape.readings.slots;
        let present = |interface: &InterfaceState| {
            let labels = [("interface", interface.name.as_str()), ("ingress", hook_label(interface.ingress))];
            measured(&labels, f64::from(u8::from(interface.present)))
        };
        let of_programs = |value: fn(&ProgramCost) -> f64| {
            let costs = scrape.readings.programs.iter();
            costs.map(move |cost| counted(&[("program", &cost.name)], value(cost)))
        };
        let mut families = vec![
            gauge("hsmon_flow_slots", "Flows that can be remembered at a time.", f64::from(slots.all)),
            gauge(
                "hsmon_flow_slots_used_ratio",
                "Share of the flow slots in use, 0 to 1: also by ended handshakes, which give way first.",
                slots.used,
            ),
            gauge(
                "hsmon_flow_slots_waiting_ratio",
                "Share of the flow slots that handshakes without an outcome have, 0 to 1.",
                slots.waiting,
            ),
            counter(
                "hsmon_responders_untracked_total",
                "Steps of responders that the detector had no room to follow.",
                scrape.untracked as f64,
            ),
            gauges(
                "hsmon_interface_up",
                "Whether a watched interface is still there.",
                scrape.interfaces.iter().map(present),
            ),
            counters(
                "hsmon_bpf_runs_total",
                "Runs of the BPF programs while the kernel measured them.",
                of_programs(|cost| cost.runs as f64),
            ),
            counters(
                "hsmon_bpf_run_seconds_total",
                "Time in the BPF programs while the kernel measured them.",
                of_programs(|cost| cost.time.as_secs_f64()),
            ),
            gauges(
                "hsmon_build_info",
                "1, with the version of hs-mon.",
                [measured(&[("version", env!("CARGO_PKG_VERSION"))], 1.0)],
            ),
            counter(
                "process_cpu_seconds_total",
                "Processor time of hs-mon's user space.",
                process::cpu_time().as_secs_f64(),
            ),
            gauge("process_start_time_seconds", "Start of the watch, since 1970.", self.started),
        ];
        let memory = process::resident_bytes();
        let help = "Memory of hs-mon's user space; its maps are the kernel's.";
        families.extend(memory.map(|bytes| gauge("process_resident_memory_bytes", help, bytes as f64)));
        families
    }
}

const fn signature_label(signature: Signature) -> &'static str {
    match signature {
        Signature::SynFlood => "syn_flood",
        Signature::SynScan => "syn_scan",
        Signature::Reflection => "synack_reflection",
    }
}

const fn hook_label(ingress: Ingress) -> &'static str {
    match ingress {
        Ingress::Native => "native",
        Ingress::Generic => "generic",
        Ingress::Tc => "tc",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_total_is_told() {
        let has_outcome = |counter: &Counter| Outcome::ALL.iter().any(|it| it.name() == counter.name());
        for counter in Counter::NAMED.iter().filter(|counter| !has_outcome(counter)) {
            let times = TOTALS.iter().filter(|(total, _, _)| total == counter).count();
            assert_eq!(times, 1, "{counter:?}");
        }
    }
}
