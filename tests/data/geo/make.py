"""Writes documentation.mmdb: made-up places for the addresses that RFC 5737 and RFC 3849 keep for documentation.

Run with the PyPI package mmdb_writer; the keys are those of GeoLite2-City and GeoLite2-ASN, the values nobody's.
"""

from pathlib import Path

from mmdb_writer import MMDBWriter
from netaddr import IPSet

PLACES = {
    "192.0.2.0/24": ("DE", "Berlin", 52.52, 13.4, 64496, "Example Net"),
    "198.51.100.0/24": ("BR", "Recife", -8.05, -34.9, 64497, "Beispiel AG"),
    "203.0.113.0/25": ("JP", "Osaka", 34.69, 135.5, 64498, "Rei KK"),
    "2001:db8::/32": ("FR", "Lyon", 45.76, 4.84, 64499, "Exemple SA"),
}

writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="Weir-Documentation", float_type="f64")
for network, (country, city, latitude, longitude, number, name) in PLACES.items():
    writer.insert_network(
        IPSet([network]),
        {
            "country": {"iso_code": country, "is_in_european_union": country in ("DE", "FR")},
            "city": {"names": {"en": city}},
            "location": {"latitude": latitude, "longitude": longitude},
            "subdivisions": [{"iso_code": country + "-1"}],
            "autonomous_system_number": number,
            "autonomous_system_organization": name,
        },
    )
writer.to_db_file(str(Path(__file__).with_name("documentation.mmdb")))
