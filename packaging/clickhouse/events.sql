-- The events of hs-mon in ClickHouse: one table whose columns are the fields of the JSON, objects as tuples, so that a
-- line goes in as it is and `handshake.outcome` is a column. docs/output.md tells what each field means.
--
-- What is absent in an event is NULL. Where ClickHouse can't have NULL, in arrays, maps and the key, it is empty;
-- `::` is no address and 0 no port, which only totals (and alerts about many ports) have.

CREATE DATABASE IF NOT EXISTS hsmon;

CREATE TABLE IF NOT EXISTS hsmon.events
(
    timestamp DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    host LowCardinality(String),
    flow_id Nullable(UInt64),
    in_iface LowCardinality(Nullable(String)),
    pcap_filename LowCardinality(Nullable(String)),
    pcap_cnt Nullable(UInt64),
    event_type LowCardinality(String),
    vlan Array(UInt16),
    -- IPv4 addresses stand in IPv6 as ::ffff:198.18.0.1; `source` and `destination` show them as people do.
    src_ip Nullable(IPv6),
    src_port Nullable(UInt16),
    dest_ip IPv6,
    dest_port UInt16,
    source Nullable(String) ALIAS replaceOne(toString(src_ip), '::ffff:', ''),
    destination String ALIAS replaceOne(toString(dest_ip), '::ffff:', ''),
    proto LowCardinality(Nullable(String)),
    community_id Nullable(String),
    handshake Tuple(
        outcome LowCardinality(Nullable(String)),
        reason LowCardinality(Nullable(String)),
        flags Array(LowCardinality(String)),
        direction LowCardinality(Nullable(String)),
        syn_seq Nullable(UInt32),
        synack_seq Nullable(UInt32),
        syn_retransmits Nullable(UInt16),
        synack_retransmits Nullable(UInt16),
        rtt_us Tuple(synack Nullable(UInt32), ack Nullable(UInt32)),
        anomalies Array(LowCardinality(String))),
    anomaly Tuple(
        type LowCardinality(Nullable(String)),
        event LowCardinality(Nullable(String)),
        tcp_flags LowCardinality(Nullable(String)),
        expected Nullable(UInt32),
        actual Nullable(UInt32)),
    alert Tuple(
        action LowCardinality(Nullable(String)),
        gid Nullable(UInt32),
        signature_id Nullable(UInt32),
        rev Nullable(UInt32),
        signature LowCardinality(Nullable(String)),
        category LowCardinality(Nullable(String)),
        severity Nullable(UInt8)),
    synflood Tuple(
        id Nullable(UInt64),
        phase LowCardinality(Nullable(String)),
        victim_ip Nullable(IPv6),
        victim_port Nullable(UInt16),
        victim_prefix Nullable(String),
        started_at Nullable(DateTime64(6, 'UTC')),
        syn_rate Nullable(Float64),
        completed_rate Nullable(Float64),
        completion_ratio Nullable(Float64),
        half_open Nullable(UInt64),
        peak_syn_rate Nullable(Float64),
        syn_total Nullable(UInt64),
        sources_estimate Nullable(UInt64),
        kind LowCardinality(Nullable(String)),
        evidence Array(LowCardinality(String)),
        ports Nullable(UInt32),
        top_sources Array(Tuple(ip IPv6, share Float64)),
        syncookies_sent Nullable(UInt64),
        listen_overflows Nullable(UInt64),
        listen_drops Nullable(UInt64),
        backlog Nullable(UInt64),
        backlog_limit Nullable(UInt64)),
    stats Tuple(
        packets Nullable(UInt64),
        tcp_segments Nullable(UInt64),
        syn Nullable(UInt64),
        synack Nullable(UInt64),
        begun Nullable(UInt64),
        completed Nullable(UInt64),
        completed_late Nullable(UInt64),
        unverified Nullable(UInt64),
        half_open Nullable(UInt64),
        refused Nullable(UInt64),
        aborted Nullable(UInt64),
        malformed Nullable(UInt64),
        flows_evicted Nullable(UInt64),
        flows_contended Nullable(UInt64),
        events_produced Nullable(UInt64),
        events_delivered Nullable(UInt64),
        events_lost Nullable(UInt64),
        events_suppressed Nullable(UInt64),
        synack_unmatched Nullable(UInt64),
        filtered Nullable(UInt64),
        syn_before_watch Nullable(UInt64),
        seen_again Nullable(UInt64),
        in_progress Nullable(UInt64),
        anomalies Map(LowCardinality(String), UInt64),
        parse_errors Map(LowCardinality(String), UInt64),
        not_parsed Map(LowCardinality(String), UInt64),
        alerts Nullable(UInt64),
        ledger Tuple(
            balanced Nullable(Bool),
            differences Array(Tuple(equation String, left UInt64, right UInt64))))
)
ENGINE = MergeTree
PARTITION BY toDate(timestamp)
ORDER BY (event_type, dest_ip, dest_port, timestamp)
TTL toDate(timestamp) + INTERVAL 90 DAY;
