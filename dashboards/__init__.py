"""The dashboard. It only shows: questions and sums are `analytics`' business."""
