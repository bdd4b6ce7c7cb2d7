#!/usr/bin/env python3
"""Write the roots of trust of Azure IoT Hub as C headers.

    tools/make_roots.py                 write ports/iothub_roots.h and ports/bearssl/iothub_bearssl_roots.h
    tools/make_roots.py --check         fail if a committed file differs, or a root has less than 24 months left
    tools/make_roots.py --bundle FILE   take the certificates from another PEM bundle

The certificates come from the CA bundle of this machine. A root is taken only if both its subject and its SHA-256
fingerprint are the ones pinned below, so a changed bundle can make this tool fail but never change what it writes.
Standard library only. The same roots give the same bytes on every machine and every day.
"""

import argparse
import base64
import datetime
import hashlib
import pathlib
import re
import sys

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
MONTHS_LEFT = 24
FOLDER = pathlib.Path(__file__).resolve().parent.parent / "ports"

# C name, common name, SHA-256 of the DER. The RSA roots first: a program may take only these.
ROOTS = [
    ("DIGICERT_GLOBAL_G2", "DigiCert Global Root G2",
     "cb3ccbb76031e5e0138f8dd39a23f9de47ffc35e43c1144cea27d46a5ab1cb5f"),
    ("MICROSOFT_RSA_2017", "Microsoft RSA Root Certificate Authority 2017",
     "c741f70f4b2a8d88bf2e71c14122ef53ef10eba0cfa5e64cfa20f418853073e0"),
    ("DIGICERT_GLOBAL_G3", "DigiCert Global Root G3",
     "31ad6648f8104138c738f39ea4320133393e3a18cc02296ef97c2ac9ef6731d0"),
    ("MICROSOFT_ECC_2017", "Microsoft ECC Root Certificate Authority 2017",
     "358df39d764af9e1b766e9c972df352ee15cfac227af6ad1d70e8e4a6edcba02"),
]

OID_COMMON_NAME = bytes.fromhex("550403")
OID_RSA = bytes.fromhex("2a864886f70d010101")
OID_EC = bytes.fromhex("2a8648ce3d0201")
CURVES = {bytes.fromhex("2a8648ce3d030107"): "BR_EC_secp256r1", bytes.fromhex("2b81040022"): "BR_EC_secp384r1"}


def elements(der):
    """The DER elements of a content: (tag, content, whole element)."""
    at = 0
    while at < len(der):
        tag, size, head = der[at], der[at + 1], 2
        if size & 0x80:
            head += size & 0x7F
            size = int.from_bytes(der[at + 2:at + head], "big")
        yield tag, der[at + head:at + head + size], der[at:at + head + size]
        at += head + size


def date(tag, text):
    form = "%y%m%d%H%M%SZ" if tag == 0x17 else "%Y%m%d%H%M%SZ"
    return datetime.datetime.strptime(text.decode("ascii"), form).date()


class Root:
    def __init__(self, der):
        self.der = der
        self.fingerprint = hashlib.sha256(der).hexdigest()
        (_, certificate, _), = elements(der)
        body = list(elements(next(elements(certificate))[1]))
        if body[0][0] == 0xA0:                  # [0] version
            body = body[1:]
        _, _, _, validity, subject, key = body[:6]
        self.first, self.last = (date(tag, text) for tag, text, _ in elements(validity[1]))
        self.dn = subject[2]
        self.common_name = self.find_common_name(subject[1])
        self.read_key(key[1])

    @staticmethod
    def find_common_name(subject):
        for _, relative, _ in elements(subject):
            for _, pair, _ in elements(relative):
                (_, oid, _), (_, value, _) = elements(pair)
                if oid == OID_COMMON_NAME:
                    return value.decode("utf-8")
        return None

    def read_key(self, key):
        self.n = self.e = self.curve = self.q = None
        (_, algorithm, _), (_, bits, _) = elements(key)
        algorithm = list(elements(algorithm))
        if algorithm[0][1] == OID_RSA:
            (_, public, _), = elements(bits[1:])
            self.n, self.e = (number.lstrip(b"\0") for _, number, _ in elements(public))
        elif algorithm[0][1] == OID_EC:
            self.curve, self.q = CURVES.get(algorithm[1][1]), bits[1:]

    def pem_lines(self):
        text = base64.b64encode(self.der).decode("ascii")
        return (["-----BEGIN CERTIFICATE-----"] + [text[i:i + 64] for i in range(0, len(text), 64)] +
                ["-----END CERTIFICATE-----"])


def read_bundle(path):
    blocks = re.findall(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", path.read_text("ascii"), re.S)
    by_fingerprint = {}
    for block in blocks:
        der = base64.b64decode(block)
        by_fingerprint[hashlib.sha256(der).hexdigest()] = der
    return by_fingerprint


def find_roots(path):
    bundle = read_bundle(path)
    roots = []
    for name, common_name, fingerprint in ROOTS:
        if fingerprint not in bundle:
            sys.exit(f"{path}: no certificate with the pinned fingerprint of {common_name}")
        root = Root(bundle[fingerprint])
        if root.common_name != common_name:
            sys.exit(f"{common_name}: its fingerprint belongs to {root.common_name!r}")
        root.name = name
        roots.append(root)
    return roots


def describe(root):
    kind = f"RSA-{len(root.n) * 8}" if root.n else root.curve.replace("BR_EC_secp", "EC P-").replace("r1", "")
    print_ = root.fingerprint.upper()
    return (f"/* {root.common_name}, {kind}\n"
            f"   valid {root.first} to {root.last}, {len(root.der)} bytes of DER\n"
            f"   SHA-256 {print_[:32]} {print_[32:]} */\n")


def byte_lines(data, end=""):
    rows = [", ".join(f"0x{byte:02X}" for byte in data[i:i + 16]) for i in range(0, len(data), 16)]
    return (f",{end}\n    ").join(rows)


def roots_header(roots):
    out = ["""/* iothub_roots.h - the roots of trust of Azure IoT Hub and its provisioning service, as PEM and as DER.

   GENERATED by tools/make_roots.py from the CA bundle of a Debian machine; do not edit. README.md in this folder says how
   to renew it. Everything is a macro, so nothing is in the program but what it names:

       static const char roots[] = IOTHUB_ROOT_DIGICERT_GLOBAL_G2_PEM IOTHUB_ROOT_MICROSOFT_RSA_2017_PEM;
       static const unsigned char root[] = IOTHUB_ROOT_DIGICERT_GLOBAL_G2_DER;
       IoTHubDeviceClient_SetOption(client, "TrustedCerts", IOTHUB_ROOTS_PEM);

   IOTHUB_ROOTS_RSA_PEM are the two that suffice when only RSA suites are offered; IOTHUB_ROOTS_PEM are all four. Both are
   expressions for a const char pointer: they keep -pedantic quiet about the length of the text. */

#ifndef IOTHUB_ROOTS_H
#define IOTHUB_ROOTS_H

#if defined(__GNUC__) || defined(__clang__)
#define IOTHUB_ROOTS_TEXT __extension__
#else
#define IOTHUB_ROOTS_TEXT
#endif
"""]
    for root in roots:
        pem = " \\\n".join(f'    "{line}\\n"' for line in root.pem_lines())
        out.append(f"{describe(root)}#define IOTHUB_ROOT_{root.name}_PEM \\\n{pem}\n")
        out.append(f"#define IOTHUB_ROOT_{root.name}_DER {{ \\\n    {byte_lines(root.der, ' ' + chr(92))} }}\n")
    for name, chosen in (("RSA_PEM", [r for r in roots if r.n]), ("PEM", roots)):
        items = " \\\n".join(f"    IOTHUB_ROOT_{root.name}_PEM" for root in chosen)
        out.append(f"#define IOTHUB_ROOTS_{name} (IOTHUB_ROOTS_TEXT \\\n{items})\n")
    out.append("#endif /* IOTHUB_ROOTS_H */\n")
    return "\n".join(out)


def anchor(root):
    low = "iothub_rootsi_" + root.name.lower()
    if root.n:
        key = (f"BR_KEYTYPE_RSA, {{ {{ (unsigned char *){low}_n, sizeof {low}_n,\n"
               f"          (unsigned char *){low}_e, sizeof {low}_e }} }}")
    else:
        key = f"BR_KEYTYPE_EC, {{ .ec = {{ {root.curve}, (unsigned char *){low}_q, sizeof {low}_q }} }}"
    return (f"    {{ {{ (unsigned char *){low}_dn, sizeof {low}_dn }}, BR_X509_TA_CA,\n"
            f"      {{ {key} }} }}")


def anchors_header(roots):
    rsa = [root for root in roots if root.n]
    out = [f"""/* iothub_bearssl_roots.h - the roots of ports/iothub_roots.h as ready-made BearSSL trust anchors: constant data, nothing
   to decode, no memory for it.

   GENERATED by tools/make_roots.py; do not edit. The tables are defined where IOTHUB_IMPLEMENTATION is.

       iothub_bearssl_trust(&tls, IOTHUB_ROOTS_ANCHORS, IOTHUB_ROOTS_ANCHORS_COUNT);

   or, with the option bearssl_rsa_suites_only, IOTHUB_ROOTS_RSA_ANCHORS and IOTHUB_ROOTS_RSA_ANCHORS_COUNT. */

#ifndef IOTHUB_BEARSSL_ROOTS_H
#define IOTHUB_BEARSSL_ROOTS_H

#ifdef ARDUINO_ARCH_ESP8266
#include <bearssl/bearssl.h>                     /* where its core has it */
#else
#include <bearssl.h>
#endif

#ifdef __cplusplus
extern "C" {{
#endif

#define IOTHUB_ROOTS_ANCHORS           iothub_bearssl_roots
#define IOTHUB_ROOTS_ANCHORS_COUNT     {len(roots)}
#define IOTHUB_ROOTS_RSA_ANCHORS       iothub_bearssl_roots_rsa
#define IOTHUB_ROOTS_RSA_ANCHORS_COUNT {len(rsa)}

extern const br_x509_trust_anchor iothub_bearssl_roots[IOTHUB_ROOTS_ANCHORS_COUNT];
extern const br_x509_trust_anchor iothub_bearssl_roots_rsa[IOTHUB_ROOTS_RSA_ANCHORS_COUNT];

#ifdef __cplusplus
}}
#endif

#endif /* IOTHUB_BEARSSL_ROOTS_H */

#if defined(IOTHUB_IMPLEMENTATION) && !defined(IOTHUB_BEARSSL_ROOTS_IMPLEMENTED)
#define IOTHUB_BEARSSL_ROOTS_IMPLEMENTED

#if defined(__GNUC__) || defined(__clang__)
#define IOTHUB_ROOTSI_TABLE __extension__        /* .ec is C99; older C++ knows it as an extension */
#else
#define IOTHUB_ROOTSI_TABLE
#endif
"""]
    for root in roots:
        out.append(describe(root) + "".join(
            f"static const unsigned char iothub_rootsi_{root.name.lower()}_{part}[] = {{\n    {byte_lines(data)}\n}};\n"
            for part, data in (("dn", root.dn), ("n", root.n), ("e", root.e), ("q", root.q)) if data))
    for name, chosen, count in (("", roots, ""), ("_rsa", rsa, "RSA_")):
        rows = ",\n".join(anchor(root) for root in chosen)
        out.append(f"IOTHUB_ROOTSI_TABLE const br_x509_trust_anchor iothub_bearssl_roots{name}"
                   f"[IOTHUB_ROOTS_{count}ANCHORS_COUNT] = {{\n{rows}\n}};\n")
    out.append("#undef IOTHUB_ROOTSI_TABLE\n\n#endif /* IOTHUB_IMPLEMENTATION */\n")
    return "\n".join(out)


def expiring(roots, today):
    month = today.year * 12 + today.month - 1 + MONTHS_LEFT
    limit = datetime.date(month // 12, month % 12 + 1, min(today.day, 28))
    return [root for root in roots if root.last < limit]


def main():
    parser = argparse.ArgumentParser(description="Write the roots of trust of Azure IoT Hub as C headers.")
    parser.add_argument("--bundle", type=pathlib.Path, default=pathlib.Path(BUNDLE), help=f"PEM bundle ({BUNDLE})")
    parser.add_argument("--check", action="store_true", help="compare only; fail when a root expires soon")
    arguments = parser.parse_args()

    roots = find_roots(arguments.bundle)
    files = {FOLDER / "iothub_roots.h": roots_header(roots),
             FOLDER / "bearssl" / "iothub_bearssl_roots.h": anchors_header(roots)}
    problems = [f"{root.common_name} expires on {root.last}: less than {MONTHS_LEFT} months from today"
                for root in expiring(roots, datetime.date.today())]
    for path, text in files.items():
        if not arguments.check:
            path.write_text(text, "ascii")
        elif not path.exists() or path.read_bytes() != text.encode("ascii"):
            problems.append(f"{path}: not what this tool writes")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems and arguments.check else 0


if __name__ == "__main__":
    sys.exit(main())
