"""Flash and RAM of an image by part, from the linker's map, and the proof that nothing in it allocates.

usage: sizes.py [--write] BOARD IMAGE      prints the table and ok/FAIL lines; --write puts the table into README.md"""

import os, re, subprocess, sys

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'README.md')
CLIENT_RAM = 2500                                 # bytes at most, all buffers included
RAM = {'lm3s6965evb': 64 * 1024, 'mps2-an385': 64 * 1024}       # the larger board shall not need more
PARTS = ('client', 'TLS', 'lwIP', 'C library', 'program, board', 'stack')
OBJECTS = (('client.o', 'client'), ('tls.o', 'TLS'), ('bearssl.a', 'TLS'), ('lwip.a', 'lwIP'), ('network.o', 'lwIP'),
           ('libc', 'C library'), ('libgcc', 'C library'), ('crt', 'C library'))
# What main.c places for others.
PLACED = {'client_memory': 'client', 'platform': 'client', 'tls': 'TLS', 'tls_records': 'TLS', 'tls_roots': 'TLS', 'tcp': 'lwIP'}
ALLOCATORS = re.compile(r'_*(malloc|calloc|realloc|reallocf?|free|cfree|memalign|aligned_alloc|sbrk)(_r)?$|__malloc|_*heap|ram_heap')


def part_of(section, file):
    variable = re.match(r'\.(?:bss|data)\.(\w+)', section)
    if os.path.basename(file) == 'main.o' and variable and variable.group(1) in PLACED:
        return PLACED[variable.group(1)]
    base = file.split('(')[0]
    for name, part in OBJECTS:
        if os.path.basename(base) == name or (not name.endswith(('.o', '.a')) and os.path.basename(base).startswith(name)):
            return part
    return 'program, board'


def read_map(path):
    """(output section, input section, address, size, file) of everything that is in the image."""
    with open(path) as file:
        text = file.read().split('Linker script and memory map', 1)[1]
    text = re.sub(r'\n( \S+)\n +0x', r'\n\1 0x', text)      # long names stand on a line of their own
    output = None
    for line in text.split('\n'):
        begin = re.match(r'(\.[\w.]+)', line)
        if begin:
            output = begin.group(1)
        found = re.match(r' (\S+) +0x([0-9a-f]+) +0x([0-9a-f]+)(?: (\S.*))?$', line)
        if found and int(found.group(3), 16) and output in ('.text', '.ARM.exidx', '.data', '.bss', '.stack'):
            yield output, found.group(1), int(found.group(2), 16), int(found.group(3), 16), found.group(4) or ''


def section_sizes(image):
    sizes = {}
    for line in subprocess.run(['arm-none-eabi-size', '-A', image], capture_output=True, text=True, check=True).stdout.split('\n'):
        words = line.split()
        if len(words) == 3 and words[0].startswith('.'):
            sizes[words[0]] = int(words[1])
    return sizes


def measure(image):
    flash, ram = dict.fromkeys(PARTS, 0), dict.fromkeys(PARTS, 0)
    for output, section, _, size, file in read_map(image + '.map'):
        part = 'stack' if output == '.stack' else part_of(section, file)
        if output in ('.text', '.ARM.exidx', '.data'):
            flash[part] += size
        if output in ('.data', '.bss', '.stack'):
            ram[part] += size
    sizes = section_sizes(image)
    whole_flash = sizes['.text'] + sizes.get('.ARM.exidx', 0) + sizes.get('.data', 0)
    whole_ram = sizes.get('.data', 0) + sizes['.bss'] + sizes['.stack']
    ram['stack'] = sizes['.stack']
    unknown = [whole_flash - sum(flash.values()), whole_ram - sum(ram.values())]
    flash['program, board'] += unknown[0]
    ram['program, board'] += unknown[1]
    return flash, ram, unknown


def rows_of(flash, ram):
    rows = [(part, flash[part], ram[part]) for part in PARTS]
    return rows + [('in all', sum(flash.values()), sum(ram.values()))]


def table_of(rows):
    lines = ['| part | flash | RAM |', '| --- | ---: | ---: |']
    return '\n'.join(lines + ['| %s | %s | %s |' % (part, format(one, ','), format(other, ',')) for part, one, other in rows])


def check(board, what, findings):
    print('%s  %s: %s' % ('FAIL' if findings else 'ok  ', board, what))
    for line in findings:
        print('      ' + line)


def stale(rows):
    """What README.md's table says more than 2 % or 64 bytes away from."""
    with open(README) as file:
        text = file.read().split('<!-- sizes -->')[1]
    findings = []
    for part, *figures in rows:
        found = re.search(r'^\| %s \| ([\d,]+) \| ([\d,]+) \|$' % re.escape(part), text, re.M)
        said = [int(figure.replace(',', '')) for figure in found.groups()] if found else [None, None]
        for one, other in zip(figures, said):
            if other is None or abs(one - other) > max(64, one // 50):
                findings.append('%s: %s now, README.md says %s' % (part, one, other))
    return findings


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != '--write']
    board, image = arguments
    flash, ram, unknown = measure(image)
    rows = rows_of(flash, ram)
    print(table_of(rows))
    if '--write' in sys.argv:
        with open(README) as file:
            before, _, after = file.read().split('<!-- sizes -->')
        with open(README, 'w') as file:
            file.write('<!-- sizes -->'.join((before, '\n%s\n' % table_of(rows), after)))
        return
    names = [line.split()[-1] for line in subprocess.run(['arm-none-eabi-nm', image], capture_output=True, text=True, check=True).stdout.split('\n') if line]
    found = [name for name in names if ALLOCATORS.match(name)]
    if 'main' not in names or 'memp_pools' not in names:
        found.append('(these are not the symbols of the image)')
    check(board, 'no malloc, no free, no sbrk and no heap among its %d symbols' % len(names), found)
    check(board, 'the client with all its buffers takes %d bytes of RAM' % ram['client'],
          [] if 1000 < ram['client'] <= CLIENT_RAM else ['limit: %d' % CLIENT_RAM])
    check(board, 'the map tells whose each byte is, but for %d of flash and %d of RAM (alignment)' % tuple(unknown),
          [] if all(abs(each) < 400 for each in unknown) else ['limit: 400'])
    whole = sum(ram.values())
    check(board, 'the image takes %d bytes of RAM in all, with %d of TLS' % (whole, ram['TLS']),
          [] if whole <= RAM[board] and ram['TLS'] > 16384 else ['limit: %d' % RAM[board]])
    if board == 'lm3s6965evb':
        check(board, 'README.md tells its sizes', stale(rows))


main()
