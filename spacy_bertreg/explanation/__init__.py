"""What each part of a text adds to a `text_regressor`'s prediction."""
