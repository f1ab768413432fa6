"""The numbered metadata of an IR file."""
import os
import re


class Debug:
    """The numbered metadata of an IR file: debug information and the types of tokens."""

    def __init__(self, lines, directory):
        self.nodes, self.directory, self.places, self.names = {}, directory, {}, {}
        for line in lines:
            number, _, text = line.partition(' = ')
            if number[1:].isdigit():
                self.nodes[int(number[1:])] = text
                if text.startswith('!DILocalVariable') and 'arg: ' in text:
                    self.names[self.ref(text, 'scope'), self.number(text, 'arg')] = self.string(text, 'name')

    def text(self, node):
        return self.nodes.get(node, '')

    @staticmethod
    def ref(text, field):
        match = re.search(r'\b%s: !(\d+)' % field, text)
        return int(match[1]) if match else None

    @staticmethod
    def string(text, field):
        match = re.search(r'\b%s: "([^"]*)"' % field, text)
        return match[1] if match else ''

    @staticmethod
    def number(text, field):
        match = re.search(r'\b%s: (\d+)' % field, text)
        return int(match[1]) if match else 0

    @staticmethod
    def tag(text):
        match = re.search(r'tag: DW_TAG_(\w+)', text)
        return match[1] if match else text.removeprefix('distinct ').partition('(')[0]

    def file(self, text):
        file = self.text(self.ref(text, 'file'))
        return os.path.normpath(os.path.join(self.directory, self.string(file, 'directory'), self.string(file, 'filename')))

    def place(self, node):
        """(file, line, column) of a !DILocation. What was inlined from typed_malloc.h stands for the line that uses it."""
        if node not in self.places:
            text = self.text(node)
            place = self.file(self.text(self.ref(text, 'scope'))), self.number(text, 'line'), self.number(text, 'column')
            outer = self.ref(text, 'inlinedAt')
            if outer is not None and os.path.basename(place[0]) == 'typed_malloc.h':
                place = self.place(outer)
            self.places[node] = place
        return self.places[node]

    def strip(self, node):
        """(type without typedefs and qualifiers, the qualifiers)."""
        qualifiers = []
        while True:
            text = self.text(node)
            tag = self.tag(text)
            if tag in ('const_type', 'volatile_type', 'restrict_type'):
                qualifiers.append({'restrict_type': '__restrict'}.get(tag, tag[:-5]))
            elif tag != 'typedef' or self.string(text, 'name') in ('size_t', 'va_list', '__gnuc_va_list', '__builtin_va_list'):
                return text, qualifiers
            node = self.ref(text, 'baseType')

    def target(self, node):
        """What a pointer type points to, stripped; None if it is no pointer."""
        text = self.strip(node)[0]
        return self.strip(self.ref(text, 'baseType'))[0] if self.tag(text) == 'pointer_type' else None

    def types(self, text):
        """The types of a !DISubroutineType: result first, None for void and for `...'."""
        types = self.text(self.ref(text, 'types'))
        return [int(n) if n else None for n in re.findall(r'!(\d+)|null', types.partition('{')[2])] or [None]

    def declare(self, node, inner, structs, pointed=False):
        """A C declaration of `inner' that needs nothing but <stddef.h> and the `structs' it names; ValueError says why not."""
        text, qualifiers = self.strip(node)
        tag, name = self.tag(text), self.string(text, 'name')
        if tag == 'pointer_type':
            target = self.strip(self.ref(text, 'baseType'))[0]
            if '__va_list_tag' in target:
                return ('__builtin_va_list ' + inner).strip()
            inner = ('*' + ' '.join(qualifiers + [inner])).rstrip()
            if self.tag(target) == '!DISubroutineType':
                inner = '(%s)' % inner
            return self.declare(self.ref(text, 'baseType'), inner, structs, True)
        if tag == '!DISubroutineType':
            result, *params = self.types(text)
            params = [self.declare(p, '', structs) if p else '...' for p in params]
            return self.declare(result, '%s(%s)' % (inner, ', '.join(params) or 'void'), structs)
        if not text:
            name = 'void'
        elif tag == 'enumeration_type' and self.ref(text, 'baseType') is not None:
            return self.declare(self.ref(text, 'baseType'), inner, structs)
        elif tag in ('structure_type', 'union_type', 'class_type'):
            if not pointed:
                raise ValueError('takes or returns a structure by value')
            if not name or '<' in name or self.tag(self.text(self.ref(text, 'scope'))) == '!DINamespace':
                raise ValueError('its prototype has a structure without a name')
            name = tag.replace('_type', ' ').replace('structure', 'struct').replace('class', 'struct') + name
            structs.add(name)
        elif tag == 'typedef':
            name = name if name == 'size_t' else '__builtin_va_list'
        elif tag == '!DIBasicType':
            name = '_Bool' if name == 'bool' else name
        else:
            raise ValueError('a type of its prototype cannot be written alone')
        return ' '.join(qualifiers + [name, inner]).strip()
