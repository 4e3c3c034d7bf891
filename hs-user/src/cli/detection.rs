//! The part of the configuration file that is about detection: `[detection]`.

use std::net::IpAddr;

use serde::Deserialize;
use toml::Value;

use crate::detect::{Exception, Sensitivity, Settings, Treatment};

/// `[detection]` as it stands in the file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    sensitivity: Option<String>,
    floor: Option<f64>,
    #[serde(default)]
    except: Vec<Exempt>,
}

/// `[[detection.except]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Exempt {
    prefix: Option<String>,
    #[serde(default)]
    ports: Vec<u16>,
    #[serde(default)]
    ignore: bool,
    floor: Option<f64>,
}

/// The settings that the table stands for.
pub fn settings(table: Value) -> Result<Settings, String> {
    // The second line names the key.
    let one_line = |error: toml::de::Error| error.to_string().trim_end().replace('\n', " ");
    let table: Table = table.try_into().map_err(|error| format!("detection: {}", one_line(error)))?;
    let mut settings = Settings::new(sensitivity(table.sensitivity.as_deref())?);
    if let Some(floor) = table.floor {
        settings.floor = positive("detection.floor", floor)?;
    }
    settings.exceptions = table.except.iter().map(exception).collect::<Result<_, _>>()?;
    Ok(settings)
}

fn sensitivity(name: Option<&str>) -> Result<Sensitivity, String> {
    match name {
        None | Some("medium") => Ok(Sensitivity::Medium),
        Some("low") => Ok(Sensitivity::Low),
        Some("high") => Ok(Sensitivity::High),
        Some(other) => {
            Err(format!("detection.sensitivity: `{}` is none of low, medium, high", other.escape_default()))
        }
    }
}

fn positive(key: &str, number: f64) -> Result<f64, String> {
    if number.is_finite() && number > 0.0 { Ok(number) } else { Err(format!("{key}: must be more than 0")) }
}

fn exception(exempt: &Exempt) -> Result<Exception, String> {
    const KEY: &str = "detection.except";
    let treatment = match (exempt.ignore, exempt.floor) {
        (true, None) => Treatment::Ignore,
        (false, Some(floor)) => Treatment::Floor(positive("detection.except.floor", floor)?),
        _ => return Err(format!("{KEY}: needs either `ignore = true` or `floor`")),
    };
    if exempt.prefix.is_none() && exempt.ports.is_empty() {
        return Err(format!("{KEY}: needs `prefix`, `ports` or both; for everything set detection.floor"));
    }
    let prefix = exempt.prefix.as_deref().map(prefix).transpose()?;
    Ok(Exception { prefix, ports: exempt.ports.clone(), treatment })
}

/// `192.0.2.0/24`, `2001:db8::/32`, or an address alone.
fn prefix(text: &str) -> Result<(IpAddr, u8), String> {
    let wrong =
        || format!("detection.except.prefix: `{}` is no prefix such as 192.0.2.0/24", text.escape_default());
    let (ip, length) = text.split_once('/').map_or((text, None), |(ip, length)| (ip, Some(length)));
    let ip: IpAddr = ip.parse().map_err(|_| wrong())?;
    let most = if ip.is_ipv4() { 32 } else { 128 };
    let length = length.map_or(Ok(most), |length| length.parse().map_err(|_| wrong()))?;
    if length > most { Err(wrong()) } else { Ok((ip, length)) }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        settings(Value::Table(text.parse::<toml::Table>().unwrap()))
    }

    #[test]
    fn every_key_reaches_its_setting() {
        let text = "sensitivity = 'high'\nfloor = 250.0\n[[except]]\nprefix = '192.0.2.0/24'\nports = [25, 587]\n\
                    ignore = true\n[[except]]\nprefix = '2001:db8::1'\nfloor = 1000.0";
        let settings = read(text).unwrap();
        assert!((settings.floor - 250.0).abs() < 1e-9 && settings.burst < Settings::default().burst);
        assert_eq!(
            settings.exceptions,
            [
                Exception {
                    prefix: Some(("192.0.2.0".parse().unwrap(), 24)),
                    ports: vec![25, 587],
                    treatment: Treatment::Ignore
                },
                Exception {
                    prefix: Some(("2001:db8::1".parse().unwrap(), 128)),
                    ports: vec![],
                    treatment: Treatment::Floor(1000.0)
                },
            ]
        );
        assert_eq!(read("").unwrap(), Settings::default());
    }

    #[test]
    fn errors_name_the_key() {
        for (text, why) in [
            ("flor = 1.0", "unknown field `flor`"),
            ("sensitivity = 'extreme'", "none of low, medium, high"),
            ("floor = 0.0", "more than 0"),
            ("floor = nan", "more than 0"),
            ("[[except]]\nports = [1]", "needs either"),
            ("[[except]]\nignore = true", "needs `prefix`"),
            ("[[except]]\nprefix = '192.0.2.0/33'\nignore = true", "is no prefix"),
            ("[[except]]\nprefix = 'example'\nignore = true", "is no prefix"),
            ("[[except]]\nports = [70000]\nignore = true", "detection: invalid value"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
