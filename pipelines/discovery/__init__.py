"""Topic discovery: reasons for calling that fit no topic of a centre, grouped weekly from what clients say first."""
