#!/usr/bin/env python3
"""Holds the package manifests against the header, against the checkout, and against what their ecosystems document.

    manifests.py                       checks; lines "ok ..." and "FAIL ..."
    manifests.py --self-test FOLDER    plants mistakes in a copy in FOLDER: each must be found
    manifests.py --pack platformio|esp_idf FOLDER    copies what the package contains, by the manifest's own rules
    manifests.py --version             the header's version
    manifests.py --kconfig SYMBOL=y...   what Zephyr's Kconfig then answers, as CMake settings

README.md says which way each package is checked. Needs Debian's python3-yaml and python3-kconfiglib.
"""
import fnmatch
import glob
import json
import os
import re
import shutil
import sys
import tempfile
from collections import namedtuple

sys.dont_write_bytecode = True
try:
    import kconfiglib
    import yaml
except ImportError:
    sys.exit("manifests.py needs python3-yaml and python3-kconfiglib; run it with /usr/bin/python3")

HERE = os.path.dirname(os.path.abspath(__file__))
CHECKOUT = os.path.dirname(os.path.dirname(HERE))
VCPKG = "tools/packaging/vcpkg/iothub-client"
SEMVER = r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?"
LICENCES = {"MIT", "Unlicense"}                  # as SPDX names the two halves of LICENSE
# What may be in a package, by its first folder.
CONTENT = {"iothub_client.h", "ports", "LICENSE", "README.md"}


class Tree:
    """A checkout, or a copy of one with a mistake in it."""

    def __init__(self, root):
        self.root = root

    def path(self, name):
        return os.path.join(self.root, name)

    def text(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def version(self):
        return re.search(r'^#define IOTHUB_CLIENT_VERSION "(.*)"$', self.text("iothub_client.h"), re.MULTILINE).group(1)

    def headers(self):
        """The header and every port, as names below the root."""
        return {"iothub_client.h"} | {os.path.relpath(path, self.root)
                                      for path in glob.glob(self.path("ports/**/*.h"), recursive=True)}


def properties(text):
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))


def shape(value, wanted, optional, what):
    """Findings about the keys of a mapping: {key: pattern, type, or None for anything}."""
    if not isinstance(value, dict):
        return ["%s is no mapping" % what]
    findings = ["%s lacks %s" % (what, key) for key in wanted if key not in value]
    known = dict(optional, **wanted)
    for key, found in value.items():
        rule = known.get(key, KeyError)
        if rule is KeyError:
            findings.append("%s has an unknown key: %s" % (what, key))
        elif isinstance(rule, str) and not (isinstance(found, str) and re.fullmatch(rule, found)):
            findings.append("%s: %s is %r" % (what, key, found))
        elif isinstance(rule, (type, tuple)) and not isinstance(found, rule):
            findings.append("%s: %s is %r" % (what, key, found))
    return findings


def licence(expression):
    """Findings about an SPDX expression: identifiers and OR are all that two licences need."""
    if isinstance(expression, str) and set(expression.split(" OR ")) <= LICENCES:
        return []
    return ["the licence is %r; LICENSE has %s" % (expression, " OR ".join(sorted(LICENCES)))]


# ---- versions: the header's is the source ----

def versions(tree):
    header = tree.text("iothub_client.h")
    want = tree.version()
    parts = [re.search(r"^#define IOTHUB_CLIENT_VERSION_%s (\d+)$" % part, header, re.MULTILINE).group(1)
             for part in ("MAJOR", "MINOR", "PATCH")]
    told = {
        "IOTHUB_CLIENT_VERSION_MAJOR, _MINOR, _PATCH": ".".join(parts),
        "library.json": json.loads(tree.text("library.json")).get("version"),
        "library.properties": properties(tree.text("library.properties")).get("version"),
        "idf_component.yml": yaml.safe_load(tree.text("idf_component.yml")).get("version"),
        VCPKG + "/vcpkg.json": json.loads(tree.text(VCPKG + "/vcpkg.json")).get("version"),
    }
    findings = ["%s says %s, the header %s" % (name, told[name], want) for name in told if told[name] != want]
    # These take it from the header; a number of their own would be one more place to forget.
    for name in ("CMakeLists.txt", "tools/packaging/conan/conanfile.py", "tools/packaging/iothub_client.pc.in", "zephyr/CMakeLists.txt",
                 "zephyr/module.yml"):
        if want in tree.text(name):
            findings.append("%s has the version written into it" % name)
    return findings


# ---- PlatformIO ----

WORDS = r"[a-z\d\-_+. ]{1,50}"


def platformio(tree):
    manifest = json.loads(tree.text("library.json"))
    findings = shape(manifest, {
        "name": r"[^:;/,@<>]{1,50}", "version": SEMVER, "description": r".{1,255}", "keywords": (list, str),
    }, {
        "license": None, "frameworks": None, "platforms": None, "headers": None, "build": dict, "export": dict,
        "repository": dict, "homepage": r"https?://.*", "authors": (list, dict), "dependencies": (list, dict), "examples": list,
        "scripts": dict, "$schema": str,
    }, "library.json")
    words = manifest.get("keywords", [])
    words = words.split(",") if isinstance(words, str) else words
    findings += ["library.json: keyword %r" % word for word in words if not re.fullmatch(WORDS, word)]
    findings += licence(manifest.get("license"))
    headers = manifest.get("headers", [])
    for header in [headers] if isinstance(headers, str) else headers:
        if not os.path.isfile(tree.path(header)):
            findings.append("library.json: there is no header %s" % header)
    build = manifest.get("build", {})
    findings += shape(build, {}, {
        "includeDir": str, "srcDir": str, "srcFilter": (str, list), "flags": None, "unflags": None, "extraScript": str,
        "libArchive": bool, "libLDFMode": str, "libCompatMode": str,
    }, "library.json: build")
    findings += shape(manifest.get("export", {}), {}, {"include": list, "exclude": list}, "library.json: export")
    return findings


def selected(root, patterns):
    """Files below root by PlatformIO's filters: (sign, glob) in order; a folder means all that is in it."""
    result = set()
    for sign, pattern in patterns:
        for path in glob.glob(os.path.join(glob.escape(root), pattern), recursive=True):
            found = {path}
            if os.path.isdir(path):
                found = {os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names}
            found = {os.path.relpath(each, root) for each in found}
            result = result | found if sign == "+" else result - found
    return result


def platformio_files(tree):
    export = json.loads(tree.text("library.json")).get("export", {})
    patterns = [("+", each) for each in export.get("include", ["*", ".*"])]
    patterns += [("-", each) for each in [".pio/", "__*", "**/__pycache__", ".git/"] + export.get("exclude", [])]
    patterns += [("+", each) for each in ["library.json", "library.properties", "README.md", "LICENSE"]]
    return selected(tree.root, patterns)


def platformio_sources(tree, folder):
    """What PlatformIO would compile of the unpacked package, and where it would look for headers."""
    build = json.loads(tree.text("library.json")).get("build", {})
    default = "src" if os.path.isdir(os.path.join(folder, "src")) else "."
    source = os.path.normpath(os.path.join(folder, build.get("srcDir", default)))
    rules = build.get("srcFilter", "+<*>")
    rules = re.findall(r"([+-])<([^>]+)>", rules if isinstance(rules, str) else " ".join(rules))
    compiled = [name for name in selected(source, rules) if re.search(r"\.(c|cc|cpp|cxx|S|ino)$", name)]
    include = ([os.path.normpath(os.path.join(folder, build["includeDir"]))] if "includeDir" in build else []) + [source]
    return compiled, include


def platformio_package(tree):
    more = {"library.json", "library.properties", "keywords.txt", "examples"}
    findings = contents(tree, platformio_files(tree), more, {"library.json", "keywords.txt"})
    with tempfile.TemporaryDirectory() as folder:
        pack(tree, platformio_files(tree), folder)
        compiled, include = platformio_sources(tree, folder)
        findings += ["PlatformIO would compile %s as a part of the library" % name for name in sorted(compiled)]
        if not any(os.path.isfile(os.path.join(path, "iothub_client.h")) for path in include):
            findings.append("PlatformIO would not find iothub_client.h")
    return findings


# ---- ESP-IDF ----

# Whose header it is, by its name's beginning; "" is in every component's path. From ESP-IDF's documentation of its components.
ESP_HEADERS = [
    ("esp_tls", "esp-tls"), ("esp_crt_bundle", "mbedtls"), ("mbedtls/", "mbedtls"), ("psa/", "mbedtls"), ("esp_timer", "esp_timer"),
    ("lwip/", "lwip"), ("sys/socket", "lwip"), ("netdb", "lwip"), ("netinet/", "lwip"), ("arpa/", "lwip"),
    ("esp_random", ""), ("esp_err", ""), ("esp_log", ""), ("esp_system", ""), ("esp_idf_version", ""), ("freertos/", ""), ("sdkconfig", ""),
    ("sys/", ""),
]
STANDARD = {"stddef.h", "stdint.h", "string.h", "stdlib.h", "stdio.h", "time.h", "limits.h", "errno.h", "stdbool.h", "unistd.h", "fcntl.h"}


def esp_idf(tree):
    manifest = yaml.safe_load(tree.text("idf_component.yml"))
    findings = shape(manifest, {"version": SEMVER, "description": r".{1,255}"}, {
        "license": None, "tags": list, "dependencies": dict, "files": dict, "maintainers": list, "targets": list, "examples": list,
        "url": r"https?://.*", "repository": r".*\.git", "documentation": r"https?://.*", "issues": r"https?://.*",
        "discussion": r"https?://.*",
    }, "idf_component.yml")
    if manifest.get("license") not in LICENCES:
        findings.append("idf_component.yml: the licence is %r, the registry wants one identifier" % manifest.get("license"))
    tags = manifest.get("tags", [])
    findings += ["idf_component.yml: tag %r" % tag for tag in tags if not re.fullmatch(r"[A-Za-z0-9_-]{3,32}", str(tag))]
    if len(set(tags)) != len(tags):
        findings.append("idf_component.yml: a tag stands there twice")
    for name, spec in manifest.get("dependencies", {}).items():
        spec = spec.get("version") if isinstance(spec, dict) else spec
        if not re.fullmatch(r"(\*|((>=|<=|>|<|==|~=|~|\^)?\d+(\.\d+)*(\.\*)?)(,(>=|<=|>|<|!=)\d+(\.\d+)*)*)", str(spec)):
            findings.append("idf_component.yml: dependency %s: %r" % (name, spec))
    findings += shape(manifest.get("files", {}), {}, {"include": list, "exclude": list, "use_gitignore": bool}, "idf_component.yml: files")
    return findings


def esp_idf_files(tree):
    """All files, less what is excluded, and again what is included: in this order, by globs from the root."""
    def matching(patterns):
        found = [path for pattern in patterns for path in glob.glob(tree.path(pattern), recursive=True, include_hidden=True)]
        return {os.path.relpath(path, tree.root) for path in found if os.path.isfile(path)}

    files = yaml.safe_load(tree.text("idf_component.yml")).get("files", {})
    return (matching(["**/*"]) - matching(files.get("exclude", []))) | matching(files.get("include", []))


def esp_idf_package(tree):
    return contents(tree, esp_idf_files(tree), {"CMakeLists.txt", "idf_component.yml"}, {"CMakeLists.txt", "idf_component.yml"})


def esp_idf_requires(tree):
    """The components that ports/esp_idf takes headers from are those that the component requires."""
    match = re.search(r"idf_component_register\(([^)]*)\)", tree.text("CMakeLists.txt"))
    words = match.group(1).split() if match else []
    required = set(words[words.index("REQUIRES") + 1:]) if "REQUIRES" in words else set()
    findings, used = [], set()
    ports = glob.glob(tree.path("ports/esp_idf/*.h"))
    if not ports:
        return ["there is no port in ports/esp_idf"]
    for port in ports:
        for name in re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', tree.text(port), re.MULTILINE):
            if any(os.path.isfile(os.path.join(folder, name)) for folder in (tree.root, os.path.dirname(port))):
                continue                                     # ours
            component = "" if name in STANDARD else next((each for begin, each in ESP_HEADERS if name.startswith(begin)), None)
            if component is None:
                findings.append("%s includes %s: whose is it? ESP_HEADERS does not know" % (os.path.relpath(port, tree.root), name))
            elif component:
                used.add(component)
                if component not in required:
                    findings.append("%s includes %s, CMakeLists.txt does not require %s"
                                    % (os.path.relpath(port, tree.root), name, component))
    return findings + ["CMakeLists.txt requires %s for nothing" % each for each in sorted(required - used)]


# ---- Zephyr ----

def zephyr(tree):
    module = yaml.safe_load(tree.text("zephyr/module.yml"))
    findings = shape(module, {"name": r"[A-Za-z0-9_-]+", "build": dict},
                     {"tests": list, "samples": list, "boards": list, "blobs": list, "package-managers": dict, "runners": list}, "module.yml")
    build = module.get("build", {})
    findings += shape(build, {"cmake": str, "kconfig": str}, {
        "cmake-ext": bool, "kconfig-ext": bool, "depends": list, "settings": dict,
        "sysbuild-cmake": str, "sysbuild-kconfig": str, "sysbuild-cmake-ext": bool, "sysbuild-kconfig-ext": bool,
    }, "module.yml: build")
    for name in (os.path.join(build.get("cmake", ""), "CMakeLists.txt"), build.get("kconfig", "")):
        if not os.path.isfile(tree.path(name)):
            findings.append("module.yml: there is no %s" % name)
    return findings


def kconfig(tree, *symbols):
    """The module's symbols and Kconfig's warnings, after Zephyr's way of taking a module in: a menu, and a symbol for being there."""
    module = yaml.safe_load(tree.text("zephyr/module.yml"))
    with tempfile.TemporaryDirectory() as folder:
        top = os.path.join(folder, "Kconfig")
        with open(top, "w", encoding="utf-8") as file:
            file.write('menu "%s"\nosource "%s"\nconfig ZEPHYR_%s_MODULE\n\tbool\n\tdefault y\nendmenu\n' % (
                module["name"], tree.path(module["build"]["kconfig"]), re.sub("[^A-Z0-9]", "_", module["name"].upper())))
        config = kconfiglib.Kconfig(top, warn_to_stderr=False)
        for symbol in symbols:
            name, value = symbol.split("=")
            config.syms[name].set_value(value)
        return {name: symbol.str_value for name, symbol in config.syms.items() if symbol.nodes}, config.warnings


def zephyr_kconfig(tree):
    findings = []
    try:
        off, warnings = kconfig(tree)
        on, more = kconfig(tree, "IOTHUB_CLIENT=y")
    except (kconfiglib.KconfigError, KeyError, AttributeError) as error:
        return ["zephyr/Kconfig: %s" % error]
    findings += warnings + more
    # CONFIG_APP_LINK_WITH_ and the target's name in capitals is the symbol by which Zephyr links an application.
    target = re.search(r"zephyr_interface_library_named\((\w+)\)", tree.text("zephyr/CMakeLists.txt"))
    link = "APP_LINK_WITH_" + (target.group(1).upper() if target else "")
    for name, state in (("IOTHUB_CLIENT", "n"), (link, "n")):
        if off.get(name) != state:
            findings.append("zephyr/Kconfig: without a setting %s is %s" % (name, off.get(name)))
    if on.get(link) != "y":
        findings.append("zephyr/Kconfig: with IOTHUB_CLIENT %s is %s" % (link, on.get(link)))
    for name in on:
        if "IOTHUB" not in name:
            findings.append("zephyr/Kconfig: %s is a name for everybody" % name)
    return findings


# ---- vcpkg ----

def vcpkg(tree):
    manifest = json.loads(tree.text(VCPKG + "/vcpkg.json"))
    findings = shape(manifest, {"name": r"[a-z0-9]+(-[a-z0-9]+)*", "version": r"\d+(\.\d+)*", "description": r".+", "license": str}, {
        "dependencies": list, "homepage": r"https?://.*", "documentation": r"https?://.*", "supports": str, "maintainers": None, "features": dict,
        "port-version": int, "default-features": list, "summary": str,
    }, "vcpkg.json")
    findings += licence(manifest.get("license"))
    if manifest.get("name") != os.path.basename(VCPKG):
        findings.append("vcpkg.json: the port is called %s, its folder %s" % (manifest.get("name"), os.path.basename(VCPKG)))
    declared = set()
    for each in manifest.get("dependencies", []):
        if isinstance(each, dict):
            findings += shape(each, {"name": r"[a-z0-9-]+"}, {
                "host": bool, "platform": str, "features": list, "default-features": bool, "version>=": str,
            }, "vcpkg.json: dependency")
        declared.add(each.get("name") if isinstance(each, dict) and each.get("host") else None)
    # Which helper port brings which functions.
    portfile = tree.text(VCPKG + "/portfile.cmake")
    for function, port in (("vcpkg_cmake_configure", "vcpkg-cmake"), ("vcpkg_cmake_install", "vcpkg-cmake"),
                           ("vcpkg_cmake_config_fixup", "vcpkg-cmake-config")):
        if function in portfile and port not in declared:
            findings.append("portfile.cmake calls %s, vcpkg.json has no host dependency %s" % (function, port))
    if "vcpkg_install_copyright" not in portfile:
        findings.append("portfile.cmake installs no copyright")
    return findings


# ---- what goes into a package ----

def contents(tree, files, more, must):
    """Findings about the files of a package: all headers, the licence, the manifest; nothing of core, tests, tools."""
    findings = ["the package lacks %s" % name for name in sorted((tree.headers() | {"LICENSE", "README.md"} | must) - files)]
    strange = sorted(name for name in files if name.split("/")[0] not in CONTENT | more)
    strange += sorted(name for name in files if name.startswith("ports/") and not fnmatch.fnmatch(name, "*.[hm]*"))
    return findings + ["the package has %s" % name for name in strange[:5]]


def pack(tree, files, folder):
    for name in files:
        target = os.path.join(folder, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(tree.path(name), target)


CHECKS = [
    ("every manifest has the header's version", versions),
    ("library.json: the documented fields", platformio),
    ("library.json: what is packed, compiled and found", platformio_package),
    ("idf_component.yml: the documented fields", esp_idf),
    ("idf_component.yml: what is packed", esp_idf_package),
    ("CMakeLists.txt: the component requires what ports/esp_idf includes", esp_idf_requires),
    ("zephyr/module.yml: the documented fields", zephyr),
    ("zephyr/Kconfig: off unless asked for, and then linked", zephyr_kconfig),
    ("vcpkg.json and portfile.cmake: the documented fields and functions", vcpkg),
]


def findings_of(check, tree):
    try:
        return check(tree)
    except (OSError, ValueError, KeyError, AttributeError, yaml.YAMLError) as error:
        return ["%s: %s" % (type(error).__name__, error)]


# ---- the self test ----

Mistake = namedtuple("Mistake", "name file old new finding")
MISTAKES = [                                     # @ stands for the header's version
    Mistake("a new version in the header alone", "iothub_client.h", '_VERSION "@"', '_VERSION "99.0.0"', "library.json says @, the header 99.0.0"),
    Mistake("a new patch number alone", "iothub_client.h", "#define IOTHUB_CLIENT_VERSION_PATCH ", "#define IOTHUB_CLIENT_VERSION_PATCH 9", "_MINOR, _PATCH says"),
    Mistake("another version in library.json", "library.json", '"@"', '"99.0.0"', "library.json says 99.0.0"),
    Mistake("another version in library.properties", "library.properties", "version=@", "version=99.0.0", "library.properties says 99.0.0"),
    Mistake("another version in idf_component.yml", "idf_component.yml", '"@"', '"99.0.0"', "idf_component.yml says 99.0.0"),
    Mistake("a version that YAML takes for a number", "idf_component.yml", '"@"', "0.1", "version is 0.1"),
    Mistake("another version in vcpkg.json", VCPKG + "/vcpkg.json", '"@"', '"99.0.0"', "vcpkg.json says 99.0.0"),
    Mistake("a version written into CMakeLists.txt", "CMakeLists.txt", "VERSION ${iothub_client_version}", "VERSION @", "CMakeLists.txt has the version written into it"),
    Mistake("library.json without a description", "library.json", '"description"', '"descripton"', "library.json lacks description"),
    Mistake("library.json with a key nobody reads", "library.json", '"frameworks"', '"framework"', "unknown key: framework"),
    Mistake("a keyword in capitals", "library.json", '"azure"', '"Azure"', "keyword 'Azure'"),
    Mistake("a licence that LICENSE is not", "library.json", '"MIT OR Unlicense"', '"Apache-2.0"', "the licence is 'Apache-2.0'"),
    Mistake("no JSON", "library.json", '"version":', '"version"', "JSONDecodeError"),
    Mistake("a package without the ports", "library.json", '"ports", ', "", "the package lacks ports/"),
    Mistake("a package with the tests", "library.json", '"ports", ', '"ports", "tests", ', "the package has tests/"),
    Mistake("examples compiled into the library", "library.json", '"-<*>"', '"+<*>"', "PlatformIO would compile examples/"),
    Mistake("an include folder that is not there", "library.json", '"includeDir": "."', '"srcDir": "src", "includeDir": "include"', "would not find iothub_client.h"),
    Mistake("a component with two licences", "idf_component.yml", "license: MIT", "license: MIT OR Unlicense", "one identifier"),
    Mistake("a tag of two words", "idf_component.yml", "- iot-hub", "- iot hub", "tag 'iot hub'"),
    Mistake("a dependency without sense", "idf_component.yml", '">=5.0,', '"=>5.0,', "dependency idf"),
    Mistake("a component without its CMakeLists.txt", "idf_component.yml", "    - CMakeLists.txt\n", "", "the package lacks CMakeLists.txt"),
    Mistake("a component with everything", "idf_component.yml", '    - "**/*"\n', '    - "tools/**/*"\n', "the package has "),
    Mistake("a component that does not require what it includes", "CMakeLists.txt", " esp-tls", "", "does not require esp-tls"),
    Mistake("a component that requires too much", "CMakeLists.txt", " esp-tls", " esp-tls esp_wifi", "requires esp_wifi for nothing"),
    Mistake("a module without its Kconfig", "zephyr/module.yml", "zephyr/Kconfig", "zephyr/Kconfig.iothub", "there is no zephyr/Kconfig.iothub"),
    Mistake("a module with a key nobody reads", "zephyr/module.yml", "  kconfig:", "  config:", "unknown key: config"),
    Mistake("Kconfig that does not parse", "zephyr/Kconfig", "depends on", "dependson", "zephyr/Kconfig:"),
    Mistake("a module that is on without being asked for", "zephyr/Kconfig", "\thelp\n\t  Makes", "\tdefault y\n\thelp\n\t  Makes", "without a setting IOTHUB_CLIENT is y"),
    Mistake("a target that Kconfig does not link", "zephyr/CMakeLists.txt", "named(iothub_client)", "named(iothub)", "APP_LINK_WITH_IOTHUB is None"),
    Mistake("a port of another name", VCPKG + "/vcpkg.json", '"iothub-client"', '"iothub"', "the port is called iothub,"),
    Mistake("a port name with an underscore", VCPKG + "/vcpkg.json", '"iothub-client"', '"iothub_client"', "name is 'iothub_client'"),
    Mistake("a helper port that is not asked for", VCPKG + "/vcpkg.json", '"vcpkg-cmake-config"', '"vcpkg-cmake-other"', "no host dependency vcpkg-cmake-config"),
    Mistake("a port without copyright", VCPKG + "/portfile.cmake", "vcpkg_install_copyright", "# ", "installs no copyright"),
]


def self_test(folder):
    copied = os.path.join(folder, "checkout")
    shutil.rmtree(copied, ignore_errors=True)
    names = ["iothub_client.h", "LICENSE", "README.md", "CMakeLists.txt", "library.json", "library.properties", "keywords.txt", "idf_component.yml"]
    for name in ("ports", "zephyr", "tools/packaging", "examples"):
        shutil.copytree(os.path.join(CHECKOUT, name), os.path.join(copied, name))
    for name in names:
        shutil.copyfile(os.path.join(CHECKOUT, name), os.path.join(copied, name))
    for name in ("tests/unit/test.c", "tools/test"):         # what no package may have
        os.makedirs(os.path.dirname(os.path.join(copied, name)), exist_ok=True)
        with open(os.path.join(copied, name), "w", encoding="utf-8"):
            pass
    tree = Tree(copied)
    good = report("the copy without a mistake", [finding for _, check in CHECKS for finding in findings_of(check, tree)])
    for planned in MISTAKES:
        mistake = Mistake(*[text.replace("@", tree.version()) for text in planned])
        text = tree.text(mistake.file)
        if text.count(mistake.old) < 1:
            report("mistake found: " + mistake.name, ["%s has no %r" % (mistake.file, mistake.old)])
            good = False
            continue
        with open(tree.path(mistake.file), "w", encoding="utf-8") as file:
            file.write(text.replace(mistake.old, mistake.new, 1))
        found = [finding for _, check in CHECKS for finding in findings_of(check, tree)]
        with open(tree.path(mistake.file), "w", encoding="utf-8") as file:
            file.write(text)
        good &= report("mistake found: " + mistake.name, [] if any(mistake.finding in finding for finding in found)
                       else ["wanted: %s" % mistake.finding] + found)
    return good


def report(name, findings):
    print("%-5s %s" % ("FAIL" if findings else "ok", name))
    for finding in findings[:10]:
        print("      %s" % finding)
    return not findings


def main(arguments):
    tree = Tree(CHECKOUT)
    if not arguments:
        return 0 if all([report(name, findings_of(check, tree)) for name, check in CHECKS]) else 1
    if arguments == ["--version"]:
        print(tree.version())
        return 0
    if arguments[0] == "--self-test" and len(arguments) == 2:
        return 0 if self_test(arguments[1]) else 1
    if arguments[0] == "--pack" and len(arguments) == 3:
        pack(tree, {"platformio": platformio_files, "esp_idf": esp_idf_files}[arguments[1]](tree), arguments[2])
        if arguments[1] == "platformio":                     # what a build of this package would look through
            print("\n".join("-I" + path for path in platformio_sources(tree, arguments[2])[1]))
        return 0
    if arguments[0] == "--kconfig":
        symbols, warnings = kconfig(tree, *arguments[1:])
        print("\n".join("set(CONFIG_%s y)" % name for name, value in symbols.items() if value == "y"))
        return 1 if warnings else 0
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
