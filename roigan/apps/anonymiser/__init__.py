"""New faces for films: found or marked, followed through the frames, replaced in all of them."""
