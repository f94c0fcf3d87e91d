//! The words of an alert's name → how far along an attack it would be.

/// Coarse stages in the order in which attacks go through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Nothing in the name says.
    Unknown,
    /// Scans, probes, enumeration.
    Recon,
    /// Guessed passwords, failed logins.
    Login,
    /// Requests that web servers refuse or that carry an attack.
    Web,
    /// Exploits, shells, injected code, and how attackers go from host to host.
    Exploit,
    /// Malicious software, what brings it, what talks to its masters, what it floods.
    Malware,
    /// Root, sudo, changed users and rights.
    Privilege,
    /// Services, processes, packages, files and settings that changed.
    Change,
    /// Tunnels, odd names in DNS, large transfers.
    Exfiltration,
}

impl Stage {
    pub(super) const COUNT: usize = 9;

    /// Those that make a chain: what changes on a machine, or says nothing, is no step.
    pub(super) const OF_ATTACKS: [Stage; 7] =
        [Stage::Recon, Stage::Login, Stage::Web, Stage::Exploit, Stage::Malware, Stage::Privilege, Stage::Exfiltration];

    /// Reads the name. The most telling stage wins: a web server alert that names a shell is an exploit.
    pub(super) fn of(name: &str) -> Stage {
        let words = name.to_lowercase();
        let has = |list: &[&str]| list.iter().any(|word| begins_a_word(&words, word));
        WORDS.iter().find(|(_, list)| has(list)).map_or(Stage::Unknown, |(stage, _)| *stage)
    }

    /// Bits that an alert of this stage is worth before anything is known of it.
    pub(super) fn bits(self) -> f64 {
        match self {
            Stage::Unknown | Stage::Change => 0.0,
            Stage::Recon | Stage::Login | Stage::Privilege | Stage::Exfiltration => 1.0,
            Stage::Web => 1.5,
            Stage::Exploit | Stage::Malware => 3.0,
        }
    }
}

/// Asked in this order; each text is the beginning of a word.
const WORDS: [(Stage, &[&str]); 8] = [
    (
        Stage::Exploit,
        &[
            "exploit",
            "webshell",
            "web shell",
            "reverse shell",
            "shellcode",
            "shell ",
            "backdoor",
            "rce",
            "code execution",
            "command injection",
            "command execution",
            "overflow",
            "cve-",
            "attempted-admin",
            "attempted-user",
            "lateral",
            "psexec",
            "mimikatz",
            "kerberoast",
            "pass the hash",
            "pass-the-hash",
            "credential dump",
            "lsass",
            "upload",
        ],
    ),
    (
        Stage::Malware,
        &[
            "phish",
            "command and control",
            "command-and-control",
            "ddos",
            "denial of service",
            "malware",
            "trojan",
            "virus",
            "ransom",
            "rootkit",
            "worm",
            "botnet",
            "c2",
            "cnc",
            "c&c",
            "beacon",
            "miner",
            "coinmin",
        ],
    ),
    (
        Stage::Exfiltration,
        &["exfil", "tunnel", "dns", "domain", "data leak", "large transfer", "unusual outbound", "dga"],
    ),
    (
        Stage::Web,
        &[
            "sql injection",
            "xss",
            "cross site",
            "traversal",
            "web attack",
            "web_server",
            "web_specific",
            "web_application",
            "web server",
            "http 4",
            "http 5",
            "400 error",
            "404",
            "403",
            "post request",
            "user agent",
            "user-agent",
            "access log",
            "php",
            "wordpress",
            "wpscan",
            "nikto",
            "dirb",
            "inclusion",
        ],
    ),
    (
        Stage::Recon,
        &[
            "scan",
            "nmap",
            "recon",
            "probe",
            "probing",
            "enumerat",
            "discover",
            "sweep",
            "port scan",
            "suspicious inbound",
            "ping",
            "portmap",
        ],
    ),
    (
        Stage::Login,
        &[
            "brute",
            "authentication fail",
            "failed login",
            "login fail",
            "login attempt",
            "invalid user",
            "failed password",
            "missed the password",
            "password spray",
            "logon fail",
            "non-existent user",
            "multiple failed",
            "authentication error",
            "maximum authentication",
            "unknown user",
            "ssh",
            "login",
            "logon",
            "authenticat",
        ],
    ),
    (
        Stage::Privilege,
        &[
            "sudo",
            "root",
            "privilege",
            "su ",
            "uid",
            "setuid",
            "admin",
            "escalat",
            "user added",
            "new user",
            "group added",
            "crack",
        ],
    ),
    (
        Stage::Change,
        &[
            "service",
            "process",
            "started",
            "stopped",
            "restart",
            "package",
            "installed",
            "integrity",
            "checksum",
            "file ",
            "cron",
            "kernel",
            "module",
            "audit",
            "listened port",
            "config",
            "systemd",
            "daemon",
        ],
    ),
];

fn begins_a_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| !text[..at].ends_with(|before: char| before.is_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_their_stage() {
        let check = |name: &str, stage| assert_eq!(Stage::of(name), stage, "{name}");
        check("ET SCAN Nmap Scripting Engine", Stage::Recon);
        check("sshd: brute force trying to get access to the system", Stage::Login);
        check("Web server 400 error code", Stage::Web);
        check("ET WEB_SERVER PHP WebShell upload", Stage::Exploit);
        check("ET TROJAN Generic CnC check-in", Stage::Malware);
        check("Successful sudo to ROOT executed", Stage::Privilege);
        check("Systemd: Service exited due to a failure", Stage::Change);
        check("PsExec service started on a remote host", Stage::Exploit);
        check("DDOS mstream handler", Stage::Malware);
        check("Phishing attachment opened", Stage::Malware);
        check("ICMP PING NMAP", Stage::Recon);
        check("Query of a long domain", Stage::Exfiltration);
        check("Something new", Stage::Unknown);
        check("", Stage::Unknown);
    }

    #[test]
    fn a_word_counts_from_its_beginning_only() {
        assert_eq!(Stage::of("escan of nothing"), Stage::Unknown);
        assert_eq!(Stage::of("port scanning"), Stage::Recon);
    }
}
