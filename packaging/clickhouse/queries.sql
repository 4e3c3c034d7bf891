-- What an analyst asks of hsmon.events. Each holds for all that the table has; put a time before it:
--   WHERE timestamp > now() - INTERVAL 1 HOUR AND …

-- outcomes_per_minute: how handshakes end, minute by minute
SELECT
    toStartOfMinute(timestamp) AS minute,
    count() AS handshakes,
    countIf(handshake.outcome = 'completed') AS completed,
    countIf(handshake.outcome = 'half_open') AS half_open,
    countIf(handshake.outcome = 'refused') AS refused,
    countIf(handshake.outcome = 'aborted') AS aborted,
    countIf(handshake.outcome = 'malformed') AS malformed
FROM hsmon.events
WHERE event_type = 'handshake'
GROUP BY minute
ORDER BY minute;

-- services: which of them answer, and how fast
SELECT
    destination,
    dest_port,
    count() AS handshakes,
    round(countIf(handshake.outcome = 'completed') / count(), 3) AS completed_share,
    countIf(handshake.outcome = 'half_open') AS half_open,
    quantileExact(0.5)(handshake.rtt_us.synack) AS median_rtt_us,
    quantileExact(0.99)(handshake.rtt_us.synack) AS p99_rtt_us
FROM hsmon.events
WHERE event_type = 'handshake'
GROUP BY destination, dest_port
ORDER BY half_open DESC, handshakes DESC
LIMIT 20;

-- floods: one row for each alarm, with its last word
SELECT
    host,
    synflood.started_at AS started_at,
    argMax(synflood.phase, timestamp) AS phase,
    any(alert.signature) AS signature,
    any(destination) AS victim,
    any(dest_port) AS port,
    argMax(synflood.kind, timestamp) AS kind,
    max(synflood.peak_syn_rate) AS peak_syn_rate,
    max(synflood.syn_total) AS syn_total,
    max(synflood.sources_estimate) AS sources,
    dateDiff('second', started_at, max(timestamp)) AS seconds
FROM hsmon.events
WHERE event_type = 'alert'
GROUP BY host, in_iface, pcap_filename, synflood.id, started_at
ORDER BY started_at DESC
LIMIT 100;

-- unanswered_sources: who leaves handshakes half-open, by /24 and /64. Under a spoofed flood the events are a sample, and
-- the addresses are not the attacker's.
SELECT
    if(startsWith(toString(src_ip), '::ffff:'),
       concat(replaceOne(toString(tupleElement(IPv6CIDRToRange(assumeNotNull(src_ip), 120), 1)), '::ffff:', ''), '/24'),
       concat(toString(tupleElement(IPv6CIDRToRange(assumeNotNull(src_ip), 64), 1)), '/64')) AS prefix,
    count() AS half_open,
    uniqExact(src_ip) AS addresses,
    uniqExact(dest_ip, dest_port) AS services
FROM hsmon.events
WHERE event_type = 'handshake' AND handshake.outcome = 'half_open' AND src_ip IS NOT NULL
GROUP BY prefix
ORDER BY half_open DESC
LIMIT 20;

-- knocking: one source that many ports or addresses refused or did not answer
SELECT
    source,
    uniqExact(dest_port) AS ports,
    uniqExact(dest_ip) AS addresses,
    count() AS tried,
    countIf(handshake.outcome = 'refused') AS refused
FROM hsmon.events
WHERE event_type = 'handshake' AND handshake.outcome IN ('refused', 'half_open', 'aborted')
GROUP BY source
HAVING ports > 10 OR addresses > 10
ORDER BY ports DESC, addresses DESC
LIMIT 20;

-- anomalies: which rules were broken, by whom
SELECT
    anomaly.event AS anomaly,
    source,
    count() AS packets,
    uniqExact(dest_ip, dest_port) AS services,
    max(timestamp) AS last
FROM hsmon.events
WHERE event_type = 'anomaly'
GROUP BY anomaly, source
ORDER BY packets DESC
LIMIT 20;

-- not_seen: what hs-mon itself lost or left out, by its last totals. Where a flood made it leave events out, count
-- with these totals and not with events.
SELECT
    host,
    in_iface,
    argMax(stats.begun, timestamp) AS begun,
    argMax(stats.events_lost, timestamp) AS events_lost,
    argMax(stats.events_suppressed, timestamp) AS events_suppressed,
    argMax(stats.flows_evicted, timestamp) AS flows_evicted,
    argMax(arraySum(mapValues(stats.parse_errors)), timestamp) AS broken_packets
FROM hsmon.events
WHERE event_type = 'stats'
GROUP BY host, in_iface;
