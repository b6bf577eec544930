//! Addresses, as the API server checks them in fields that were once laxer.

use std::net::{IpAddr, Ipv6Addr};

use crate::sandbox::fault::quote;
use crate::sandbox::meta::{At, Causes};

/// Reads an address as Go's lax parser does: leading zeros are read over.
pub(super) fn lax(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| {
        let is_digits = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let parts: Vec<&str> = text.split('.').collect();
        if !parts.iter().all(is_digits) {
            return None;
        }
        let bare: Vec<&str> = parts
            .iter()
            .map(|part| part.trim_start_matches('0'))
            .map(|part| if part.is_empty() { "0" } else { part })
            .collect();
        bare.join(".").parse().ok()
    })
}

fn is_mapped(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some())
}

/// Checks an address that is not among `known`; whether it is one.
pub(super) fn check(causes: &mut Causes, at: &At, text: &str, known: &[&str]) -> bool {
    if known.contains(&text) {
        return true;
    }
    let Some(address) = lax(text) else {
        causes.invalid(at, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
        return false;
    };
    if text.parse::<IpAddr>().is_err() {
        causes.invalid(at, text, "must not have leading 0s");
        return false;
    }
    if is_mapped(address) {
        causes.invalid(at, text, "must not be an IPv4-mapped IPv6 address");
        return false;
    }
    true
}

/// An address as Go prints it.
pub(super) fn canonical(address: IpAddr) -> String {
    match address {
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => address.to_string(),
            None => address.to_string(),
        },
        IpAddr::V4(address) => address.to_string(),
    }
}

/// Checks an address that has to be in its one form.
pub(super) fn check_strictly(causes: &mut Causes, at: &At, text: &str) {
    if check(causes, at, text, &[])
        && let Some(address) = lax(text)
        && canonical(address) != text
    {
        let detail = format!("must be in canonical form ({})", quote(&canonical(address)));
        causes.invalid(at, text, &detail);
    }
}

/// Checks a range that is not among `known`; the range if it is one.
pub(super) fn check_range(causes: &mut Causes, at: &At, text: &str, known: &[&str]) -> Option<Range> {
    let Some(range) = Range::parse(text) else {
        causes.invalid(at, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
        return None;
    };
    if known.contains(&text) {
        return Some(range);
    }
    let is_strict = text.split_once('/').is_some_and(|(address, length)| {
        address.parse::<IpAddr>().is_ok() && (length == "0" || !length.starts_with('0'))
    });
    if !is_strict {
        causes.invalid(at, text, "must not have leading 0s in IP or prefix length");
    } else if is_mapped(range.address) {
        causes.invalid(at, text, "must not have an IPv4-mapped IPv6 address");
    } else if range.address != range.masked() {
        causes.invalid(at, text, "must not have bits set beyond the prefix length");
    }
    Some(range)
}

/// A range of addresses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    address: IpAddr,
    length: u32,
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        let address = lax(address)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let is_digits = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
        let length: u32 = length.parse().ok().filter(|length| is_digits && *length <= most)?;
        Some(Self { address, length })
    }

    fn masked(&self) -> IpAddr {
        match self.address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - self.length).unwrap_or(0);
                IpAddr::V4((u32::from(address) & mask).into())
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - self.length).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from(u128::from(address) & mask))
            }
        }
    }

    /// Whether all of `other` lies in it and it is larger.
    pub(super) fn strictly_contains(&self, other: &Self) -> bool {
        let within = Self { address: other.address, length: self.length };
        self.address.is_ipv4() == other.address.is_ipv4()
            && self.length < other.length
            && within.masked() == self.masked()
    }
}

/// Checks that nodes can reach an address.
pub(super) fn check_endpoint(causes: &mut Causes, at: &At, text: &str) {
    let Some(address) = lax(text) else {
        return causes.invalid(at, text, "must be a valid IP address");
    };
    let mut refuse = |is_wrong: bool, detail: &str| {
        if is_wrong {
            causes.invalid(at, text, detail);
        }
    };
    refuse(address.is_unspecified(), &format!("may not be unspecified ({text})"));
    refuse(address.is_loopback(), "may not be in the loopback range (127.0.0.0/8, ::1/128)");
    let (link_local, multicast) = match address {
        IpAddr::V4(address) => (address.is_link_local(), address.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(address) => (address.is_unicast_link_local(), address.segments()[0] == 0xff02),
    };
    refuse(link_local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
    refuse(multicast, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
}

/// A warning about an address that is not in its one form.
pub(super) fn warning(at: &At, text: &str) -> Option<String> {
    let address = lax(text)?;
    let form = canonical(address);
    let strict = text.parse::<IpAddr>();
    if strict.is_err() || is_mapped(address) {
        return Some(format!(
            "{at}: non-standard IP address {} is invalid: use {}",
            quote(text),
            quote(&form)
        ));
    }
    (address.is_ipv6() && form != text).then(|| {
        format!(
            "{at}: IPv6 address {} should be in RFC 5952 canonical format ({})",
            quote(text),
            quote(&form)
        )
    })
}
