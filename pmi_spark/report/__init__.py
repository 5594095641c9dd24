"""The page to look at: what a run made, in one HTML file that opens from a disk and asks no network for anything.

``figures`` and ``word_space`` gather numbers from manifests and tables, pure or with pyarrow and numpy alone;
``word_map`` lays the most frequent words out in the plane; ``svg`` and ``charts`` draw; ``sections`` and ``page`` put
the page together from the templates under ``assets``; ``build`` reads a run and writes the file.

Charts are SVG written here, in Python, and not by a charting library. A library draws in the reader's browser and must
be carried by every page: plotly.js is 4.5 MB, Vega 1 MB, and neither lets a keyboard step through the values or follows
the system's colours by itself. matplotlib's SVG fixes colours and sizes, and is a heavy thing to install for six
charts. Theirs is a scale, an axis and a few marks; positions are percentages, so that a browser fits them to any width
while the text keeps its size, colours are the style sheet's, and they are there without any script. The map and the
search are scripts of their own, for they need the embedded vectors, and no library has those.

Security: words come from a corpus. Elements are built as trees and serialized, data goes into the page as JSON without
``<``, scripts set text and never markup, and the page's content security policy admits its own script alone.
"""
