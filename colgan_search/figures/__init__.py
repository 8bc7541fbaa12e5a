"""Pictures of graphs, studies and their results, as PNG, SVG or PDF."""

from colgan_search.figures.graph_picture import draw_graph

__all__ = ["draw_graph"]
