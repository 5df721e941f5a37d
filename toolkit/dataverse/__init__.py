"""The Dataverse Web API: who asks, how it is asked, and what an answer means.

address     the URL of an organization -> its base, the scope of a token, its cloud
tokens      a credential -> bearer tokens, kept until shortly before they expire
gate        how many requests are under way at once
client      one request, with all that it takes to get an answer: waits, repeats, refreshed tokens
failures    an answer that is none -> an error of the toolkit, with Dataverse's own code
"""
