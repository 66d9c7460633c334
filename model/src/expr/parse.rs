//! Text to syntax tree, by `sqlparser`, with bounds on length, tokens and nesting.

use sqlparser::{
    ast,
    dialect::GenericDialect,
    parser::{Parser, ParserError},
    tokenizer::{Location, Token, TokenWithSpan, Tokenizer},
};

use crate::{
    Error,
    limits::{EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX, EXPRESSION_TOKENS_MAX},
};

/// What an expression may contain; the end of most refusals.
pub(super) const SUPPORTED: &str = "supported are + - * / %, = <> < <= > >=, and, or, not, is [not] null, \
     [not] between, [not] in (…), [not] like, [not] ilike, case, coalesce, nullif, abs, sign, least, greatest, mod, \
     round, floor, ceil, ln, exp, sqrt, power, extract(part from t), date_part, date_trunc, length, starts_with, \
     haversine(lat1, lon1, lat2, lon2), cast(x as double | bigint | decimal(p, s)), numbers, 'strings', true, false, null, timestamp '…'";

/// The syntax tree of `text`.
///
/// # Errors
/// [`Error::Expression`] with the position.
pub(super) fn parse(text: &str) -> Result<ast::Expr, Error> {
    tree(tokens(text)?)
}

/// The syntax trees of `aggregate` and `expression` in a text such as `aggregate by expression`.
///
/// # Errors
/// As [`parse`].
pub(super) fn parse_by(text: &str) -> Result<(ast::Expr, Option<ast::Expr>), Error> {
    let mut before = tokens(text)?;
    let mut depth = 0_usize;
    let by = before.iter().position(|token| {
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            Token::Word(word) => {
                return depth == 0
                    && word.quote_style.is_none()
                    && word.value.eq_ignore_ascii_case("by");
            }
            _ => {}
        }
        false
    });
    let by = by.map(|at| before.split_off(at).split_off(1));
    Ok((tree(before)?, by.map(tree).transpose()?))
}

fn tokens(text: &str) -> Result<Vec<TokenWithSpan>, Error> {
    if text.len() > EXPRESSION_BYTES_MAX {
        let message = format!("{} bytes; at most {EXPRESSION_BYTES_MAX} are allowed", text.len());
        return Err(refuse(START, message));
    }
    let tokens = Tokenizer::new(&GenericDialect {}, text)
        .tokenize_with_location()
        .map_err(|error| refuse(error.location, error.message))?;
    let count = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).count();
    if count > EXPRESSION_TOKENS_MAX {
        let message = format!("{count} tokens; at most {EXPRESSION_TOKENS_MAX} are allowed");
        return Err(refuse(START, message));
    }
    Ok(tokens)
}

fn tree(tokens: Vec<TokenWithSpan>) -> Result<ast::Expr, Error> {
    let mut parser = Parser::new(&GenericDialect {})
        .with_recursion_limit(EXPRESSION_DEPTH_MAX)
        .with_tokens_with_locations(tokens);
    let expr = parser.parse_expr().map_err(|error| syntax(&error))?;
    let next = parser.peek_token();
    if next.token == Token::EOF {
        return Ok(expr);
    }
    let message = format!("{} is not expected here; {SUPPORTED}", shown(&next.token.to_string()));
    Err(refuse(next.span.start, message))
}

/// The first character.
const START: Location = Location { line: 1, column: 1 };

/// An error at `location`; an unknown one is the start.
pub(super) fn refuse(location: Location, message: String) -> Error {
    let Location { line, column } = if location.line == 0 { START } else { location };
    Error::Expression { line, column, message }
}

/// The message for an expression nested too deep.
pub(super) fn too_deep() -> String {
    format!(
        "nested deeper than {EXPRESSION_DEPTH_MAX} levels; a chain of operators nests one for each"
    )
}

/// A piece of an expression or file as messages show it: its first line, cut when long.
pub(crate) fn shown(piece: &str) -> String {
    const SHOWN_MAX: usize = 60;
    let mut short: String = piece.chars().take_while(|c| *c != '\n').take(SHOWN_MAX).collect();
    if short.len() < piece.len() {
        short.push('…');
    }
    format!("`{short}`")
}

fn syntax(error: &ParserError) -> Error {
    let text = match error {
        ParserError::RecursionLimitExceeded => return refuse(START, too_deep()),
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => text,
    };
    // The parser gives positions only as the end of its text: `… at Line: 1, Column: 7`.
    let (message, location) = text.rsplit_once(" at Line: ").unwrap_or((text, ""));
    let mut numbers = location.split(", Column: ").map(str::parse::<u64>);
    let location = match (numbers.next(), numbers.next()) {
        (Some(Ok(line)), Some(Ok(column))) => Location { line, column },
        _ => START,
    };
    refuse(location, format!("{message}; {SUPPORTED}"))
}
