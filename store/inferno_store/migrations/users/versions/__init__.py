"""The steps, in order. A step that was released is never edited; the next one mends it."""
