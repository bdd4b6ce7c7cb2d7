"""Prints what the image of examples/bootloader holds, by part: usage: map.py MAP ELF"""
import re
import subprocess
import sys

PARTS = [("client", r"^iothubi?_|^IoTHub|^MQTT_|^wildcards"), ("SHA-256 and HMAC", r"^mbedtls_|^K$|^padded|^hmac_"),
         ("modem", r"^modem|^converse|^come$|^enter$|^begins$|^two_digits|^unix_time_of"),
         ("arithmetic and memory", r"^__|^mem|^strlen"), ("board, program and the parts of the client that are inlined there", r"")]


def main():
    symbols = subprocess.run(["arm-none-eabi-nm", "-S", "-t", "d", sys.argv[2]], check=True, capture_output=True, text=True).stdout
    flash, ram = {part: 0 for part, _ in PARTS}, {part: 0 for part, _ in PARTS}
    for _, size, kind, name in re.findall(r"^(\d+) (\d+) (\w) (\S+)$", symbols, re.M):
        part = next(part for part, pattern in PARTS if re.search(pattern, "iothubi_block" if name == "block" else name))
        (ram if kind in "bBdD" else flash)[part] += int(size)
    sections = dict(re.findall(r"^(\.\w+)\s+(\d+)", subprocess.run(
        ["arm-none-eabi-size", "-A", sys.argv[2]], check=True, capture_output=True, text=True).stdout, re.M))
    text, bss = int(sections[".text"]), int(sections.get(".bss", 0)) + int(sections.get(".data", 0))
    print("| part | flash | RAM |\n| --- | --- | --- |")
    for part, _ in PARTS:
        print("| %s | %s | %s |" % (part, format(flash[part], ","), format(ram[part], ",")))
    print("| alignment, literals | %s | %s |" % (format(text - sum(flash.values()), ","), format(bss - sum(ram.values()), ",")))
    print("| all, of 12,288 and 2,560 | %s | %s, the rest is stack |" % (format(text, ","), format(bss, ",")))


main()
