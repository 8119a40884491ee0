"""Pictures: decoding, tiles, the codec, the decoded store and labelled sheets."""
